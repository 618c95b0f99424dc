# The old application: a real Flask. Usage: app.py PORT SECRET [OLDER SECRET…]
import sys

import flask
from flask import Flask, jsonify, request, session

try:
    from importlib.metadata import version
    VERSION = "Flask " + version("flask")
except ImportError:
    VERSION = "Flask " + flask.__version__

app = Flask(__name__)
app.secret_key = sys.argv[2]
app.config["SECRET_KEY_FALLBACKS"] = sys.argv[3:]


@app.post("/old/set")
def set_():
    session.permanent = True
    session.update(request.get_json())
    return jsonify({})


@app.get("/old/get")
def get():
    return jsonify(dict(session))


@app.post("/old/logout")
def logout():
    session.clear()
    return jsonify({})


@app.get("/old/version")
def version_():
    return VERSION


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
