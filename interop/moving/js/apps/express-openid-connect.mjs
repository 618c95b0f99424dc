// Express with express-openid-connect. Logging in would go to Auth0; here a route fills the session.
import express from "express";
import oidc from "express-openid-connect";
import { host, port, secrets, version } from "./serve.mjs";

const app = express();
app.set("trust proxy", 1);
app.use(express.json({ limit: "100kb" }));
app.use(oidc.auth({ authRequired: false, issuerBaseURL: "https://issuer.test", baseURL: "https://app.test", clientID: "id", secret: secrets }));
app.get("/old/version", (req, res) => res.send(version("express-openid-connect", "express")));
app.get("/old/get", (req, res) => res.json(req.appSession));
app.post("/old/set", (req, res) => { Object.assign(req.appSession, req.body); res.json({}); });
app.post("/old/logout", (req, res) => { req.appSession = undefined; res.json({}); });
app.listen(Number(port), host);
