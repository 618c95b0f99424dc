import express from "express";
import { ExpressAuth, getSession } from "@auth/express";
import Credentials from "@auth/express/providers/credentials";

const config = {
  secret: process.env.AUTH_SECRET,
  trustHost: true,
  providers: [Credentials({ credentials: { name: {} }, authorize: ({ name }) => ({ id: "1", name }) })],
};

const app = express();
app.use("/auth", ExpressAuth(config));
app.get("/", async (req, res) => {
  const session = await getSession(req, config);
  res.send(`Node knows ${session?.user?.name ?? "nobody"}.\n`);
});
app.listen(5000);
