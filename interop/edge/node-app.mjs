// An application in Node behind a Go front: it knows its visitors by the session that Go sealed, and counts their visits in it.
import http from 'node:http'
import process from 'node:process'
import { clear, open, parseKeys, seal } from '@signet-go/edge'

const keys = parseKeys(process.env.SIGNET_EDGE_KEYS)

http.createServer(async (req, res) => {
	const cookieHeader = req.headers.cookie
	const { session, error } = await open(cookieHeader, { keys })
	if (!session) return res.writeHead(401).end(error)
	if (req.url.endsWith('/logout')) return res.writeHead(200, { 'set-cookie': clear({ keys, cookieHeader }) }).end('gone')
	session.data.visits = String(Number(session.data.visits ?? 0) + 1)
	if (req.url.endsWith('/grow')) session.data.fill = 'n'.repeat(4000)
	if (req.url.endsWith('/shrink')) delete session.data.fill
	res.writeHead(200, { 'set-cookie': await seal(session, { keys, cookieHeader }) }).end(session.data.name)
}).listen(0, '127.0.0.1', function () {
	console.log('listening on ' + this.address().port)
})
