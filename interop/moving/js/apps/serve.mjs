// What the applications here have in common: their arguments, and the four routes over plain node:http.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";

/** host:port to listen on, and the secrets, the newest first. */
export const [host, port] = process.argv[2].split(":");
export const secrets = JSON.parse(process.env.SECRETS);

export const version = (...names) => names.map((name) =>
  `${name} ${JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url))).version}`).join(", ");

const body = async (req) => {
  let text = "";
  for await (const part of req) text += part;
  return JSON.parse(text || "{}");
};

/** get, set and logout answer the session, or a Promise of it; they may set headers. */
export function serve(what, { get, set, logout }) {
  createServer(async (req, res) => {
    try {
      let answer;
      if (req.url === "/old/version") return res.end(what);
      else if (req.url === "/old/get") answer = await get(req, res);
      else if (req.url === "/old/set") answer = await set(req, res, await body(req));
      else if (req.url === "/old/logout") answer = await logout(req, res);
      res.end(JSON.stringify(answer ?? {}));
    } catch (e) {
      console.error(e);
      res.statusCode = 500;
      res.end(String(e?.stack));
    }
  }).listen(Number(port), host);
}

/** The cookies of a request, as the cookie parsers of these packages read them: the first of a name counts. */
export function cookies(req) {
  const all = {};
  for (const pair of (req.headers.cookie ?? "").split(/; */)) {
    const at = pair.indexOf("=");
    if (at > 0 && !(pair.slice(0, at) in all)) all[pair.slice(0, at)] = decodeURIComponent(pair.slice(at + 1));
  }
  return all;
}
