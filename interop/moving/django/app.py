# The old application: a real Django. Usage: app.py PORT SECRET [OLDER SECRET…]
import json
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path

settings.configure(
    SECRET_KEY=sys.argv[2], SECRET_KEY_FALLBACKS=sys.argv[3:], ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    SESSION_SERIALIZER="django.contrib.sessions.serializers.JSONSerializer",
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
)


def set_(request):
    request.session.update(json.loads(request.body))
    return JsonResponse({})


def get(request):
    return JsonResponse(dict(request.session.items()))


def logout(request):
    request.session.flush()
    return JsonResponse({})


def version(request):
    return HttpResponse("Django " + django.__version__)


urlpatterns = [path("old/set", set_), path("old/get", get), path("old/logout", logout), path("old/version", version)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), handler_class=Quiet).serve_forever()
