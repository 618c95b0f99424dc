import os
from flask import Flask, request, session

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]

@app.post("/login")
def login():
    session["username"] = request.form["name"]
    return "Welcome to Flask.\n"

@app.get("/")
def home():
    return f"Flask knows {session.get('username', 'nobody')}.\n"

app.run(port=5000)
