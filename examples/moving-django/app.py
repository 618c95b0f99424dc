import os
from wsgiref.simple_server import make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY=os.environ["SECRET_KEY"],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
)

def login(request):
    request.session["username"] = request.POST["name"]
    return HttpResponse("Welcome to Django.\n")

def home(request):
    return HttpResponse(f"Django knows {request.session.get('username', 'nobody')}.\n")

urlpatterns = [path("login", login), path("", home)]

make_server("localhost", 5000, get_wsgi_application()).serve_forever()
