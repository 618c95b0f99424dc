// Checked by tsc alone: what a TypeScript program may and may not write.
import { clear, open, parseKeys, seal, touch, type Reason, type Session } from '../signet.js'

interface Visitor {
	name: string
	basket?: Record<string, number>
}

export async function worker(request: Request, text: string): Promise<Response> {
	const keys = parseKeys(text)
	const opened = await open<Visitor>(request.headers.get('cookie'), { keys, idle: { timeout: 1800, keys } })
	if (opened.error) {
		const reason: Reason = opened.error
		// @ts-expect-error: without a session there is none
		opened.session.id
		return new Response(reason, { status: 401 })
	}
	const session: Session<Visitor> = opened.session
	// @ts-expect-error: the data has the type that was asked for
	session.data.nam = 'Ada'
	const cookieHeader = request.headers.get('cookie')
	const response = new Response(session.data.name)
	for (const line of await seal(session, { keys, cookieHeader, budget: 3500 })) response.headers.append('set-cookie', line)
	for (const line of await touch(session, { keys, cookieHeader })) response.headers.append('set-cookie', line)
	// @ts-expect-error: keys come from parseKeys alone
	clear({ keys: text, cookieHeader })
	// @ts-expect-error: without the request's cookies the stale ones would stay
	await seal({ data: { name: 'Ada' } }, { keys })
	return response
}
