# The old application: the real session and cookie middleware of Rails round a small Rack application.
# Usage: app.rb PORT VARIANT SECRET [OLDER SECRET…]; VARIANT is gcm, cbc or bare.
require "json"
require "logger"
require "active_support"
require "active_support/time"
require "active_support/key_generator"
require "active_support/message_encryptor"
require "active_support/messages/rotation_configuration"
require "action_controller"
require "action_dispatch"
require "rack/handler/webrick"
ActionDispatch::Flash # autoload: adds flash to Request

PORT, VARIANT, *SECRETS = ARGV
CBC = VARIANT == "cbc"

def generator(secret)
  return ActiveSupport::KeyGenerator.new(secret, iterations: 1000) if ActiveSupport.version < Gem::Version.new("7.0")
  ActiveSupport::KeyGenerator.new(secret, iterations: 1000, hash_digest_class: OpenSSL::Digest::SHA1)
end

rotations = ActiveSupport::Messages::RotationConfiguration.new
SECRETS.drop(1).each do |secret|
  g = generator(secret)
  if CBC
    rotations.rotate :encrypted, g.generate_key("encrypted cookie", 32), g.generate_key("signed encrypted cookie"), cipher: "aes-256-cbc"
  else
    rotations.rotate :encrypted, g.generate_key("authenticated encrypted cookie", 32)
  end
end

SETTINGS = {
  "action_dispatch.secret_key_base" => SECRETS.first,
  "action_dispatch.key_generator" => ActiveSupport::CachingKeyGenerator.new(generator(SECRETS.first)),
  "action_dispatch.authenticated_encrypted_cookie_salt" => "authenticated encrypted cookie",
  "action_dispatch.encrypted_cookie_salt" => "encrypted cookie",
  "action_dispatch.encrypted_signed_cookie_salt" => "signed encrypted cookie",
  "action_dispatch.signed_cookie_salt" => "signed cookie",
  "action_dispatch.use_authenticated_cookie_encryption" => !CBC,
  "action_dispatch.cookies_serializer" => :json,
  "action_dispatch.use_cookies_with_metadata" => VARIANT != "bare",
  "action_dispatch.cookies_same_site_protection" => ->(_) { :lax },
  "action_dispatch.cookies_rotations" => rotations,
}.freeze

answer = ->(body) { [200, { "Content-Type" => "application/json" }, [body]] }
application = lambda do |env|
  request = ActionDispatch::Request.new(env)
  case env["PATH_INFO"]
  when "/old/set"
    JSON.parse(request.body.read).each { |name, value| request.session[name] = value }
    answer.("{}")
  when "/old/get" then answer.(request.session.to_hash.to_json)
  when "/old/logout"
    request.reset_session
    answer.("{}")
  when "/old/version" then answer.("Rails #{ActiveSupport.version}")
  else [404, {}, []]
  end
end

options = { key: "_app_session" }
options[:expire_after] = 3600 unless VARIANT == "bare"
session = ActionDispatch::Session::CookieStore.new(application, **options)
cookies = ActionDispatch::Cookies.new(session)
Rack::Handler::WEBrick.run(->(env) { cookies.call(SETTINGS.merge(env)) }, Host: "127.0.0.1", Port: PORT.to_i,
                           Logger: WEBrick::Log.new(File::NULL), AccessLog: [])
