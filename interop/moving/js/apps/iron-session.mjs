// iron-session on plain node:http. The last character of a password is its id.
import { getIronSession } from "iron-session";
import { secrets, serve, version } from "./serve.mjs";

const options = { cookieName: "app_session", password: Object.fromEntries(secrets.map((s) => [s.at(-1), s])), chunk: true };
const open = (req, res) => getIronSession(req, res, options);

serve(version("iron-session"), {
  get: open,
  set: async (req, res, members) => {
    const session = await open(req, res);
    Object.assign(session, members);
    await session.save();
  },
  logout: async (req, res) => (await open(req, res)).destroy(),
});
