# The old application: a real Flask. Usage: app.py PORT SECRET [OLDER SECRET…]
import datetime
import sys
import uuid

import flask
from flask import Flask, flash, get_flashed_messages, jsonify, request, session
from markupsafe import Markup

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


TYPES = {
    "tuple": (1, ("two", None)), "bytes": b"\x00\xff", "markup": Markup("<b>&</b>"), "uuid": uuid.UUID(int=7),
    "datetime": datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc), "escaped": {" t": [1], }, "own": {" z": 1},
}


@app.post("/old/types")
def set_types():
    session.update(TYPES)
    flash("saved", "info")
    return jsonify({})


@app.get("/old/types")
def types():
    """Which of them are gone, or have come back as something else."""
    wrong = [name for name, value in TYPES.items() if type(session.get(name)) is not type(value) or session[name] != value]
    return jsonify(wrong=wrong, seen=session.get("seen"), flashes=get_flashed_messages(with_categories=True))


@app.get("/old/version")
def version_():
    return VERSION


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
