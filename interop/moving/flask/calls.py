# Flask's side of the table of docs/moving/flask.md. Usage: calls.py PORT APPS-AS-JSON
# APPS is a list of configurations. Each is an application of its own; a request names its number in X-App.
import json
import sys

from flask import Flask, flash, get_flashed_messages, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.serving import run_simple


class Fallbacks(SecureCookieSessionInterface):
    """What Flask 3.1 does with SECRET_KEY_FALLBACKS, for those before it."""

    def get_signing_serializer(self, app):
        s = super().get_signing_serializer(app)
        s.secret_keys = [k.encode() for k in app.config.get("SECRET_KEY_FALLBACKS") or []] + [app.secret_key.encode()]
        return s


def make(config):
    app = Flask(__name__)
    app.config.update(config)
    if "SECRET_KEY_FALLBACKS" not in Flask.default_config:
        app.session_interface = Fallbacks()

    @app.post("/set")
    def set_():
        session["username"] = request.args["name"]
        return ""

    @app.get("/item")
    def item():
        return session["username"] if "username" in session else "KeyError"

    @app.get("/get")
    def get():
        return str(session.get("username"))

    @app.post("/pop")
    def pop():
        return str(session.pop("username", None))

    @app.get("/in")
    def in_():
        return str("username" in session)

    @app.post("/clear")
    def clear():
        session.clear()
        return ""

    @app.post("/permanent")
    def permanent():
        session.permanent = True
        session["username"] = "ada"
        return ""

    @app.get("/new")
    def new():
        return str(session.new)

    @app.post("/append")
    def append():
        session.setdefault("items", []).append(request.args["item"])
        session.modified = True
        return ""

    @app.get("/items")
    def items():
        return ",".join(session.get("items", []))

    @app.post("/flash")
    def flash_():
        flash(request.args["text"], "info")
        return ""

    @app.get("/flashes")
    def flashes():
        return ";".join(f"{c}:{t}" for c, t in get_flashed_messages(with_categories=True))

    @app.get("/theme")
    def theme():
        return str(request.cookies.get("theme"))

    @app.post("/theme")
    def set_theme():
        r = app.make_response("")
        r.set_cookie("theme", "dark")
        return r

    @app.post("/untheme")
    def delete_theme():
        r = app.make_response("")
        r.delete_cookie("theme")
        return r

    return app


apps = [make(config) for config in json.loads(sys.argv[2])]


def choose(environ, start_response):
    return apps[int(environ["HTTP_X_APP"])](environ, start_response)


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), choose)
