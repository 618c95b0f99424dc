// createCookieSessionStorage of Remix 2, or with the argument react-router of React Router 7.
import { secrets, serve, version } from "./serve.mjs";

const name = process.argv[3] ?? "@remix-run/node";
const { createCookieSessionStorage } = await import(name);
const storage = createCookieSessionStorage({ cookie: { name: "__session", secrets, path: "/", httpOnly: true, secure: true, sameSite: "lax" } });
const open = (req) => storage.getSession(req.headers.cookie);

serve(version(name), {
  get: async (req) => (await open(req)).data,
  set: async (req, res, members) => {
    const session = await open(req);
    for (const [key, value] of Object.entries(members)) session.set(key, value);
    res.setHeader("Set-Cookie", await storage.commitSession(session));
  },
  logout: async (req, res) => { res.setHeader("Set-Cookie", await storage.destroySession(await open(req))); },
});
