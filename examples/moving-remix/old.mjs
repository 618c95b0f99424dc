import { createServer } from "node:http";
import { createCookieSessionStorage } from "react-router"; // or "@remix-run/node"

const storage = createCookieSessionStorage({ cookie: { name: "__session", secrets: [process.env.SESSION_SECRET], path: "/", httpOnly: true } });

createServer(async (req, res) => {
  const session = await storage.getSession(req.headers.cookie);
  const url = new URL(req.url, "http://localhost");
  if (url.pathname === "/login") {
    session.set("username", url.searchParams.get("name"));
    res.setHeader("Set-Cookie", await storage.commitSession(session));
    return res.end("Welcome to Node.\n");
  }
  res.end(`Node knows ${session.get("username") ?? "nobody"}.\n`);
}).listen(5000);
