require "logger"
require "action_controller/railtie"
require "active_support/core_ext/integer/time"
require "rack/handler/webrick"

class App < Rails::Application
  config.load_defaults 6.1
  config.eager_load = false
  config.logger = Logger.new(nil)
  config.hosts.clear
  config.session_store :cookie_store, key: "_app_session", expire_after: 30.days
  config.action_dispatch.cookies_serializer = :json
  config.action_controller.default_protect_from_forgery = false
  routes.append do
    post "/login" => "home#login"
    get "/" => "home#show"
  end
end

class HomeController < ActionController::Base
  def login
    session[:username] = params[:name]
    render plain: "Welcome to Rails.\n"
  end

  def show
    render plain: "Rails knows #{session[:username] || "nobody"}.\n"
  end
end

App.initialize!
Rack::Handler::WEBrick.run(App, Host: "localhost", Port: 5000)
