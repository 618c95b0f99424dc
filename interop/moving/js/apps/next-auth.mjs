// next-auth 4 without Next: its whole handler, which Next's route calls, over plain node:http. Signing in is what its
// credentials provider does in the end: encode, and the cookies of its own session store.
import { createRequire } from "node:module";
import { cookies, secrets, serve, version } from "./serve.mjs";

const need = createRequire(import.meta.url);
const dir = new URL("../node_modules/next-auth/", import.meta.url).pathname;
const { encode } = need("next-auth/jwt");
const { AuthHandler } = need(dir + "core/index.js");
const { SessionStore } = need(dir + "core/lib/cookie.js");
const { serialize } = need(need.resolve("cookie", { paths: [dir] }));

const quiet = { debug() {}, warn() {}, error() {} };
const secret = secrets[0], name = "__Secure-next-auth.session-token";
const options = { httpOnly: true, sameSite: "lax", path: "/", secure: true };

async function call(req, res, action, { method = "GET", body, jwt = ({ token }) => token } = {}) {
  let seen;
  const answer = await AuthHandler({
    req: { action, method, body, cookies: { ...cookies(req), ...body?.cookies }, headers: req.headers, query: {}, origin: "https://app.test" },
    options: {
      secret, providers: [], logger: quiet, useSecureCookies: true, session: { strategy: "jwt" },
      callbacks: { jwt, session: ({ session, token }) => { seen = token; return session; } },
    },
  });
  // Its cookies for forms stay out: no page here has any.
  for (const c of answer.cookies ?? []) if (c.name.startsWith(name)) res.appendHeader("Set-Cookie", serialize(c.name, c.value, c.options));
  return { seen, answer };
}

export const app = {
  get: async (req, res) => (await call(req, res, "session")).seen,
  set: async (req, res, members) => {
    const { seen } = await call(req, res, "session", { jwt: ({ token }) => ({ ...token, ...members }) });
    if (seen) return;
    res.removeHeader("Set-Cookie");
    const token = await encode({ secret, token: members });
    const store = new SessionStore({ name, options }, { cookies: cookies(req), headers: {} }, quiet);
    for (const c of store.chunk(token, { expires: new Date(Date.now() + 30 * 86400_000) })) res.appendHeader("Set-Cookie", serialize(c.name, c.value, c.options));
  },
  logout: async (req, res) => {
    const { answer } = await call(req, res, "csrf");
    const csrf = (answer.cookies ?? []).find((c) => c.name.endsWith("csrf-token"));
    await call(req, res, "signout", { method: "POST", body: { csrfToken: answer.body.csrfToken, cookies: csrf ? { [csrf.name]: csrf.value } : {} } });
  },
};
export const what = `${version("next-auth")} (its handler, without Next)`;
if (import.meta.filename === process.argv[1]) serve(what, app);
