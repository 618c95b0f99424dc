// A Worker before a Go application. It answers strangers by itself, keeps the visitor's country
// in the session, and passes everything else on.
import { open, parseKeys, seal } from '@signet-go/edge'

const name = '__Host-Http-session'
let keys // parsed once in each isolate; a deploy with a new set starts new ones

export default {
	async fetch(request, env) {
		keys ??= parseKeys(env.SIGNET_EDGE_KEYS)
		const cookieHeader = request.headers.get('cookie')
		const { session, error } = await open(cookieHeader, { keys, name })
		if (!session) {
			// A key that is not here yet is no sign of a stranger: the origin decides.
			const undecided = error == 'unknown-key' || error == 'clock-skew'
			const isPublic = new URL(request.url).pathname.startsWith('/public/')
			return undecided || isPublic ? env.ORIGIN.fetch(request) : new Response('log in first\n', { status: 401 })
		}
		const country = request.headers.get('cf-ipcountry') ?? 'XX'
		// Only a change is written: sealing on every read would undo a write or a log-out beside it.
		if (session.data.country == country) return env.ORIGIN.fetch(request)
		session.data.country = country
		let lines
		try {
			lines = await seal(session, { keys, name, cookieHeader })
		} catch (full) {
			if (!(full instanceof RangeError)) throw full
			return env.ORIGIN.fetch(request) // no room for the field: the session stays as it is
		}
		const passedOn = new Request(request)
		passedOn.headers.set('cookie', [...pairs(lines), ...others(cookieHeader)].join('; '))
		return withCookies(await env.ORIGIN.fetch(passedOn), lines)
	},
}

const isOurs = (text) => text.startsWith(name) && /^(\.[1-7])?=/.test(text.slice(name.length))

/** What a browser would send after these Set-Cookie lines. */
const pairs = (lines) => lines.map((line) => line.split(';', 1)[0]).filter((pair) => !pair.endsWith('='))

/** The request's cookies without those of the session. */
const others = (header) => header.split(/[;,] */).filter((pair) => !isOurs(pair))

/** The origin's answer with our lines. Where the origin wrote the session too, it had ours before it, and its lines count. */
const withCookies = (answer, lines) => {
	if (answer.headers.getSetCookie().some(isOurs)) return answer
	answer = new Response(answer.body, answer)
	for (const line of lines) answer.headers.append('set-cookie', line)
	return answer
}
