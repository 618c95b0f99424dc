// A site in the middle of its upgrade: who has a cookie of version 5 is served by that, everyone else by version 4.
import { app as v4 } from "./next-auth.mjs";
import { app as v5 } from "./auth-core.mjs";
import { serve, version } from "./serve.mjs";

const pick = (req) => /__Secure-authjs\.session-token/.test(req.headers.cookie ?? "") ? v5 : v4;
serve(`${version("next-auth")} → ${version("@auth/core")}`, {
  get: (req, res) => pick(req).get(req, res),
  set: (req, res, members) => pick(req).set(req, res, members),
  logout: (req, res) => pick(req).logout(req, res),
});
