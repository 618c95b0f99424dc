// @hapi/iron by itself, as hapi's own state cookies use it: one password, no id.
import Iron from "@hapi/iron";
import { cookies, secrets, serve, version } from "./serve.mjs";

const options = { ...Iron.defaults, ttl: 3600_000 };
const open = async (req) => {
  try { return await Iron.unseal(cookies(req).sid, secrets[0], options); } catch { return {}; }
};

serve(version("@hapi/iron"), {
  get: open,
  set: async (req, res, members) => {
    const seal = await Iron.seal({ ...(await open(req)), ...members }, secrets[0], options);
    res.setHeader("Set-Cookie", `sid=${seal}; Path=/; Secure; HttpOnly; SameSite=Strict`);
  },
  logout: (req, res) => { res.setHeader("Set-Cookie", "sid=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"); },
});
