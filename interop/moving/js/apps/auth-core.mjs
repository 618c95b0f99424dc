// Auth.js 5: the handler that next-auth 5, @auth/sveltekit and @auth/express wrap, over plain node:http. Signing in is
// what its credentials provider does in the end: a token, which its own session endpoint then stores.
import { Auth } from "@auth/core";
import { encode } from "@auth/core/jwt";
import { secrets, serve, version } from "./serve.mjs";

const quiet = { debug() {}, warn() {}, error() {} };
const name = "__Secure-authjs.session-token";

async function call(header, res, path, { body, jwt = ({ token }) => token } = {}) {
  const seen = {};
  const answer = await Auth(new Request("https://app.test/auth/" + path, {
    headers: { cookie: header, ...(body ? { "content-type": "application/x-www-form-urlencoded" } : {}) },
    ...(body ? { method: "POST", body: new URLSearchParams(body) } : {}),
  }), {
    secret: secrets, trustHost: true, basePath: "/auth", logger: quiet, providers: [], session: { strategy: "jwt" }, useSecureCookies: true,
    callbacks: { jwt, session: ({ session, token }) => { seen.token = token; return session; } },
  });
  // Its cookies for forms stay out: no page here has any.
  for (const line of answer.headers.getSetCookie()) if (line.startsWith(name)) res.appendHeader("Set-Cookie", line);
  return { answer, token: seen.token };
}

export const app = {
  get: async (req, res) => (await call(req.headers.cookie ?? "", res, "session")).token,
  set: async (req, res, members) => {
    const jwt = ({ token }) => ({ ...token, ...members });
    if ((await call(req.headers.cookie ?? "", res, "session", { jwt })).token) return;
    res.removeHeader("Set-Cookie");
    await call(`${name}=${await encode({ token: {}, secret: secrets, salt: name })}`, res, "session", { jwt });
  },
  logout: async (req, res) => {
    const { answer } = await call(req.headers.cookie ?? "", res, "csrf");
    const csrf = answer.headers.getSetCookie().map((line) => line.split("; ")[0]).join("; ");
    await call(`${req.headers.cookie ?? ""}; ${csrf}`, res, "signout", { body: { csrfToken: (await answer.json()).csrfToken } });
  },
};
export const what = `${version("@auth/core")} (its handler)`;
if (import.meta.filename === process.argv[1]) serve(what, app);
