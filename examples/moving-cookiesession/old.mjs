import express from "express";
import cookieSession from "cookie-session";

const app = express();
app.use(cookieSession({ name: "session", keys: [process.env.SESSION_KEY] }));
app.get("/login", (req, res) => {
  req.session.username = req.query.name;
  res.send("Welcome to Node.\n");
});
app.get("/", (req, res) => res.send(`Node knows ${req.session.username ?? "nobody"}.\n`));
app.listen(5000);
