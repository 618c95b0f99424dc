import { createServer } from "node:http";
import { getIronSession } from "iron-session";

const options = { cookieName: "app_session", password: process.env.SESSION_PASSWORD };

createServer(async (req, res) => {
  const session = await getIronSession(req, res, options);
  const url = new URL(req.url, "http://localhost");
  if (url.pathname === "/login") {
    session.username = url.searchParams.get("name");
    await session.save();
    return res.end("Welcome to Node.\n");
  }
  res.end(`Node knows ${session.username ?? "nobody"}.\n`);
}).listen(5000);
