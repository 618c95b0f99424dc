// Microseconds per open of one session in both formats. Prints JSON where there is a console; as a
// Worker it answers how many opens it did, since the clock of workerd stands still within a request.
import { open, parseKeys } from '@signet-go/edge'
import { base64url, jwtDecrypt } from 'jose'

const openers = ({ keys, header, jweKeys, token, name }) => {
	const parsed = parseKeys(keys)
	const secrets = new Map(JSON.parse(jweKeys).keys.map(({ kid, k }) => [kid, base64url.decode(k)]))
	const options = { audience: name, keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A256GCM'] }
	return {
		compact: async () => (await open(header, { keys: parsed, name })).session.id,
		jwe: async () => (await jwtDecrypt(token, ({ kid }) => secrets.get(kid), options)).payload.jti,
	}
}

export const repeat = async (input) => {
	const once = openers(input)[input.format]
	let id
	for (let i = 0; i < input.count; i++) id = await once()
	return id
}

export default {
	async fetch(request) {
		return new Response(await repeat(await request.json()))
	},
}
