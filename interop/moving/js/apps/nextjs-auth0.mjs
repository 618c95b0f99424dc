// nextjs-auth0 4 without Next's server: its client reads the session of a NextRequest, and its own stateless store writes the
// cookies, over plain node:http. The members are the user's claims.
import { createRequire } from "node:module";
import { Auth0Client } from "@auth0/nextjs-auth0/server";
import { secrets, serve, version } from "./serve.mjs";

const { NextRequest } = createRequire(import.meta.url)("next/server");
const dir = new URL("../node_modules/@auth0/nextjs-auth0/dist/server/", import.meta.url);
const { ResponseCookies } = await import(new URL("cookies.js", dir));
const { StatelessSessionStore } = await import(new URL("session/stateless-session-store.js", dir));

const secret = secrets[0], url = "https://app.test/";
const client = new Auth0Client({ domain: "issuer.test", clientId: "id", clientSecret: "cs", appBaseUrl: url, secret });
const store = new StatelessSessionStore({ secret, cookieOptions: { secure: true } });
const request = (req) => new NextRequest(url, { headers: { cookie: req.headers.cookie ?? "" } });
const write = async (req, res, how) => {
  const headers = new Headers();
  await how(request(req).cookies, new ResponseCookies(headers));
  for (const line of headers.getSetCookie()) res.appendHeader("Set-Cookie", line);
};
const open = async (req) => {
  try { return await client.getSession(request(req)); } catch { return null; }
};

serve(`${version("@auth0/nextjs-auth0")} (its client and store, without Next's server)`, {
  get: async (req) => (await open(req))?.user,
  set: async (req, res, members) => {
    const now = Math.floor(Date.now() / 1000);
    const session = (await open(req)) ?? { user: { sub: "auth0|1" }, tokenSet: { accessToken: "at", expiresAt: now + 3600 }, internal: { sid: "s", createdAt: now } };
    Object.assign(session.user, members);
    await write(req, res, (inn, out) => store.set(inn, out, session));
  },
  logout: (req, res) => write(req, res, (inn, out) => store.delete(inn, out)),
});
