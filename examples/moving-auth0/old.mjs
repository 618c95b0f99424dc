import express from "express";
import oidc from "express-openid-connect";

const app = express();
app.use(oidc.auth({
  authRequired: false, issuerBaseURL: "https://issuer.test", baseURL: "http://localhost:5000", clientID: "id", secret: process.env.SECRET,
}));
app.get("/pretend", (req, res) => { // what the library does when Auth0 sends a visitor back
  const claims = Buffer.from(JSON.stringify({ sub: "auth0|1", name: req.query.name })).toString("base64url");
  req.appSession.id_token = `e30.${claims}.`;
  res.send("Welcome to Node.\n");
});
app.get("/", (req, res) => res.send(`Node knows ${req.oidc.user?.name ?? "nobody"}.\n`));
app.listen(5000);
