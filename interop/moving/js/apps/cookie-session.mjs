// Express with cookie-session.
import express from "express";
import cookieSession from "cookie-session";
import { host, port, secrets, version } from "./serve.mjs";

const app = express();
app.set("trust proxy", 1);
app.use(express.json({ limit: "100kb" }));
app.use(cookieSession({ name: "session", keys: secrets }));
app.get("/old/version", (req, res) => res.send(version("cookie-session", "express")));
app.get("/old/get", (req, res) => res.json(req.session));
app.post("/old/set", (req, res) => { Object.assign(req.session, req.body); res.json({}); });
app.post("/old/logout", (req, res) => { req.session = null; res.json({}); });
app.listen(Number(port), host);
