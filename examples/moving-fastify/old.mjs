import Fastify from "fastify";
import secureSession from "@fastify/secure-session";

const app = Fastify();
await app.register(secureSession, { key: process.env.SESSION_KEY, cookie: { path: "/" } });
app.get("/login", (req) => {
  req.session.set("username", req.query.name);
  return "Welcome to Node.\n";
});
app.get("/", (req) => `Node knows ${req.session.get("username") ?? "nobody"}.\n`);
await app.listen({ port: 5000 });
