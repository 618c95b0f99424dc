// @ts-check
// Opens and seals signet sessions (compact tokens, version 1) with WebCrypto alone. What each function
// promises is in signet.d.ts, every byte in SPEC.md of github.com/signet-go/signet.

const MAX_TOKEN = 32768 // characters
const MAX_COOKIE = 4096 // octets of name and value, RFC 6265bis §5.6
const MAX_CHUNKS = 8
const TOUCH = 8 // the place of NAME.t, the idle clock, among the cookies of a session

// What a stranger's header is looked at. The Go code has the same bounds, so that both see the same.
const MAX_SCAN = 65536
const MAX_OCCURRENCES = 64
const MAX_HEADS = 4
const MAX_PARTS = 32

/** @typedef {{ kid: number, version: number, secret: Uint8Array<ArrayBuffer>, nbf: number, exp: number, hours: Map<number, CryptoKey> }} Key */
/** @typedef {{ keys: Key[], skew: number, life: number, leeway: number }} Ring */
/** @typedef {{ place: number, value: string }} Found a cookie of ours: 0 is NAME, 3 is NAME.3, TOUCH is NAME.t */

/** @param {string} text @returns {Uint8Array<ArrayBuffer> | undefined} */
const decode = (text) => {
	// The one canonical spelling: the URL alphabet, no padding, unused bits zero. atob takes others.
	if (!/^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/.test(text)) return
	const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'))
	const bytes = new Uint8Array(binary.length)
	for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i) // eight times as fast as Uint8Array.from
	return bytes
}

/** @param {Uint8Array} bytes */
const encode = (bytes) =>
	btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')

/** Joins bytes and numbers, which are uint32, big-endian. @param {...(number | Iterable<number>)} parts */
const concat = (...parts) =>
	Uint8Array.from(parts.flatMap((p) => (typeof p == 'number' ? [p >>> 24, p >>> 16, p >>> 8, p] : [...p])))

/** @param {Uint8Array} bytes @param {number} at */
const uint32 = (bytes, at) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at)

/** @param {string} why @returns {never} */
const fail = (why) => {
	throw TypeError('signet: ' + why)
}

/** @type {typeof import('./signet.d.ts').parseKeys} */
export const parseKeys = (text) => {
	/** @type {any} */
	let set
	try {
		set = JSON.parse(text)
	} catch {} // its message may quote a key
	/** @type {Key[]} */
	const keys = []
	for (const { alg, kid, k, nbf = 0, exp = 0 } of set?.keys ?? [{}]) {
		const secret = decode(k)
		const version = Number(/^signet-compact([12])$/.exec(alg)?.[1])
		if (!version || secret?.length != 32) fail('not from signet keys export, or not compact')
		keys.push({ kid: parseInt(kid, 16), version, secret: /** @type {Uint8Array<ArrayBuffer>} */ (secret), nbf, exp, hours: new Map() })
	}
	keys.sort((a, b) => a.nbf - b.nbf || a.kid - b.kid) // the order in which they seal
	const ring = { skew: 300, life: 86400, leeway: 60, ...set.policy, keys }
	return /** @type {any} */ (() => ring) // in a closure, so that no log shows it
}

/** @param {any} options @returns {any} */
const settings = ({ keys, name = '__Host-Http-session', attributes = 'Path=/; HttpOnly; Secure; SameSite=Lax', idle, now = Math.floor(Date.now() / 1000), ...more }) => {
	const ring = keys()
	// A tenth is added since the idle clock is written once in a tenth, and the skew, so that nobody is idle too early.
	const allowance = idle && idle.timeout + Math.ceil(idle.timeout / 10) + ring.skew
	return { ring, name, attributes: '; ' + attributes, idle, allowance, now, ...more }
}
/** @typedef {ReturnType<typeof settings>} Settings */

/** Without blanks at the end. A regular expression takes quadratic time for it. @param {string} text */
const trimEnd = (text) => {
	while (/[ \t]/.test(text.slice(-1))) text = text.slice(0, -1)
	return text
}

/** Finds our cookies. @param {unknown} header @param {string} name */
const read = (header, name) => {
	const text = ((header ?? '') + ';').slice(0, MAX_SCAN + 1)
	/** @type {Found[]} */
	const found = []
	let carried = 0
	for (let at = 0, n = 0; n < MAX_OCCURRENCES && (at = text.indexOf(name, at)) >= 0; ) {
		const before = trimEnd(text.slice(0, at)).slice(-1)
		at += name.length
		// At a comma, too: Headers.get and Apache httpd join several Cookie fields with one.
		if (!/^[;,]?$/.test(before)) continue
		// A pair that goes beyond the bound has no end here.
		const [match, , suffix = 0, rest] = /^(\.([1-7t]))?=([^;,]*)[;,]/.exec(text.slice(at)) ?? []
		if (!match) continue
		n++ // ours alone count: the name within another cookie's value must not hide them
		const place = suffix == 't' ? TOUCH : +suffix
		carried |= 1 << place
		const value = trimEnd(rest.replace(/^[ \t]+/, '')).replace(/^"(.*)"$/, '$1')
		// Equal values count once: a Lambda function URL delivers every cookie twice.
		const alike = found.filter((f) => f.place % 8 ? place % 8 : f.place == place)
		if (value && alike.length < (place % 8 ? MAX_PARTS : MAX_HEADS) && !alike.some((f) => f.place == place && f.value == value))
			found.push({ place, value })
	}
	return { found, carried }
}

/**
 * Joins what a head names. Count and write id are a stranger's until the token has authenticated.
 * @param {string} head @param {Found[]} found @returns {string}
 */
const join = (head, found) => {
	if (!/^\d/.test(head)) return head
	const count = +head[0]
	const id = head.slice(2, 7)
	if (head[1] != '.' || id[4] != '.' || count < 2 || count > MAX_CHUNKS) throw 'invalid'
	const pieces = [head.slice(7)]
	for (const { place, value } of found) {
		if (!(place % 8) || place >= count || !value.startsWith(id)) continue // of another write
		if (place in pieces) throw 'torn'
		pieces[place] = value.slice(5)
	}
	for (let i = 0; i < count; i++) if (!pieces[i]) throw 'torn'
	return pieces.join('')
}

/** The key of an hour: HKDF-Expand of one block, which is one HMAC (RFC 5869 §2.3). @param {Key} key @param {number} time */
const hourKey = async ({ secret, hours }, time) => {
	const hour = Math.floor(time / 3600)
	const kept = hours.get(hour)
	if (kept) return kept
	const { subtle } = crypto
	const info = concat([0, 4, 104, 111, 117, 114], hour, [1]) // "hour" with its length
	const hmac = await subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
	return subtle.importKey('raw', await subtle.sign('HMAC', hmac, info), 'AES-GCM', false, ['encrypt', 'decrypt'])
}

/** @param {Key} key @param {number} time @param {CryptoKey} derived */
const keep = ({ hours }, time, derived) => {
	if (hours.size > 63) hours.clear()
	hours.set(Math.floor(time / 3600), derived)
}

/** @param {Uint8Array<ArrayBuffer>} additionalData @param {Uint8Array<ArrayBuffer>} iv */
const gcm = (additionalData, iv) => ({ name: 'AES-GCM', iv, additionalData })

/**
 * Opens a token, or throws the reason or any error, which is invalid. The order of the checks is that of
 * the Go code, so that both give one answer.
 * @param {Ring} ring @param {string} token @param {number} now
 */
const openToken = async ({ keys, skew, life, leeway }, token, now) => {
	if (/^ey/.test(token)) throw 'unknown-key' // a JWE: npm jose opens those
	const head = /** @type {Uint8Array} */ (decode(token.slice(0, 12)))
	if (token.length < 50 || token.length > MAX_TOKEN || head[0] < 1 || head[0] > 2) throw 'invalid'
	const issued = uint32(head, 5)
	const key = keys.find(({ kid }) => kid == uint32(head, 1))
	if (!key) throw 'unknown-key'
	if (key.exp && now >= key.exp) throw 'expired'
	if (issued > now + skew) throw 'clock-skew'
	if (now > issued + life + leeway) throw 'expired'
	if (key.version != head[0]) throw 'invalid'
	if (head[0] == 2) throw 'unknown-key' // WebCrypto has no ChaCha20-Poly1305
	const raw = /** @type {Uint8Array<ArrayBuffer>} */ (decode(token)) // or undefined, which throws below
	const derived = await hourKey(key, issued)
	const opened = await crypto.subtle.decrypt(gcm(raw.slice(0, 9), raw.slice(9, 21)), derived, raw.slice(21))
	keep(key, issued, derived) // only now: a stranger must not fill the cache
	const plain = new Uint8Array(opened)
	const expires = uint32(plain, 0)
	if (now > expires + leeway) throw 'expired'
	return { issued, expires, plain }
}

/** @type {typeof import('./signet.d.ts').open} */
export const open = async (cookieHeader, options) => {
	const s = settings(options)
	const { found, carried } = read(cookieHeader, s.name)
	/** @type {any} */
	let session
	let error = ''
	for (const { place, value } of found) {
		if (place) continue
		try {
			const one = sessionOf(await openToken(s.ring, join(value, found), s.now))
			if (session && session.id != one.id) return { error: 'ambiguous' }
			if (!session || one.issued > session.issued) session = one
		} catch (reason) {
			// What asks for most care comes first: a session that may be good must not be overwritten because a forged one came along.
			error = ['unknown-key', 'clock-skew', 'torn', 'expired'].find((e) => e == error || e == reason) ?? 'invalid'
		}
	}
	if (session) error = s.idle ? await lastTouch(s, found, session) : ''
	else error ||= carried & 254 ? 'torn' : 'none' // pieces without their head are no new visitor
	return error ? { error: /** @type {any} */ (error) } : { session }
}

/** @param {Awaited<ReturnType<typeof openToken>>} opened */
const sessionOf = ({ issued, expires, plain }) => {
	const text = new TextDecoder().decode(plain.slice(25))
	const created = uint32(plain, 21)
	if (plain[4] > 1) throw 'invalid'
	const data = JSON.parse(text)
	if (!isObject(data)) throw 'invalid'
	// An integer that a JavaScript number does not hold would be written as another one.
	const integers = text.replace(/"(\\.|[^"\\])*"/g, '').match(/(?<![.\d])\d{16,}/g)
	const lossy = integers?.some((n) => +n >= 2 ** 53)
	return { id: encode(plain.slice(5, 21)), issued, expires, created, persistent: !!plain[4], data, lossy }
}

/** @param {unknown} v */
const isObject = (v) => v && typeof v == 'object' && !Array.isArray(v)

/** @param {Settings} s @param {Found[]} found @param {any} session */
const lastTouch = async (s, found, session) => {
	let error = 'expired'
	for (const { place, value } of found) {
		try {
			if (place != TOUCH) continue
			const { issued, plain } = await openToken(s.idle.keys(), value, s.now)
			if (encode(plain.slice(4)) != session.id) continue
			session.touched = issued
			return ''
		} catch (reason) {
			if (/^\w+-/.test(String(reason))) error = String(reason) // unknown-key, clock-skew: sealed by one that is ahead
		}
	}
	// The data itself was written by somebody who was not idle.
	return s.now > session.issued + s.allowance ? error : ''
}

/** @param {Ring} ring @param {number} now @param {number} expires @param {Uint8Array} content */
const sealToken = async ({ keys }, now, expires, content) => {
	// As in Go: the latest nbf that has passed, the larger id at a tie; if none has, the earliest.
	const live = keys.filter(({ exp }) => !exp || now < exp)
	const key = live.findLast(({ nbf }) => nbf <= now) ?? live[0]
	if (key?.version != 1) fail('no key')
	const head = concat([1], key.kid, now)
	const iv = crypto.getRandomValues(new Uint8Array(12))
	const derived = await hourKey(key, now)
	keep(key, now, derived)
	const plain = concat(key.exp ? Math.min(expires, key.exp) : expires, content)
	return encode(concat(head, iv, new Uint8Array(await crypto.subtle.encrypt(gcm(head, iv), derived, plain))))
}

/** @type {typeof import('./signet.d.ts').seal} */
export const seal = async (session, options) => {
	const s = settings(options)
	const { id, data, persistent, created = s.now, expires = created + (s.lifetime ?? Math.min(86400, s.ring.life)) } = session
	const raw = id ? decode(id) : crypto.getRandomValues(new Uint8Array(16))
	if (!isObject(data) || session.lossy || raw?.length != 16 || expires > s.now + s.ring.life) fail('no such session can be sealed')
	const content = concat([+!!persistent], /** @type {Uint8Array} */ (raw), created, new TextEncoder().encode(JSON.stringify(data)))
	const token = await sealToken(s.ring, s.now, expires, content)
	const tail = age(s, session, expires) + s.attributes
	const lines = split(s, token).map((pair) => pair + tail)
	const set = (1 << lines.length) - 1
	const stale = read(s.cookieHeader, s.name).carried & ~set & 255
	lines.push(...expire(s, stale, set))
	if (s.idle) lines.push(...(await touchLines(s, /** @type {Uint8Array} */ (raw), tail)))
	return lines
}

/** @param {Settings} s @param {{ persistent?: boolean }} session @param {number} expires */
const age = ({ now }, { persistent }, expires) => (persistent ? '; Max-Age=' + Math.max(expires - now, 1) : '')

/** @param {Settings} s @param {string} token */
const split = ({ name, budget = 6144 }, token) => {
	const room = MAX_COOKIE - name.length - 7 // "2.wwww." takes as much as ".1" and "wwww."
	const whole = name.length + token.length <= MAX_COOKIE
	const count = whole ? 1 : Math.ceil(token.length / room)
	const size = token.length + (whole ? name.length + 1 : count * (name.length + 10) - 2)
	if (count > MAX_CHUNKS || size > budget) throw RangeError('signet: ' + size + ' bytes, over ' + budget)
	if (whole) return [name + '=' + token]
	const id = encode(crypto.getRandomValues(new Uint8Array(3))) + '.'
	return Array.from({ length: count }, (_, i) => label(name, i) + '=' + (i ? '' : count + '.') + id + token.slice(i * room, i * room + room))
}

/** @param {string} name @param {number} place */
const label = (name, place) => name + (place ? '.' + (place == TOUCH ? 't' : place) : '')

/** The lines that expire cookies, and beside a partitioned one its twin outside, which Chromium keeps and sends as well.
 * @param {Settings} s @param {number} which to expire @param {number} set of which only the twins */
const expire = ({ name, attributes }, which, set) => {
	const lines = []
	const outside = attributes.replace(/; Partitioned/i, '')
	for (let i = 0; i <= TOUCH; i++) {
		if ((which >> i) & 1) lines.push(label(name, i) + '=; Max-Age=0' + attributes)
		if (((which | set) >> i) & 1 && outside != attributes) lines.push(label(name, i) + '=; Max-Age=0' + outside)
	}
	return lines
}

/** @param {Settings} s @param {Uint8Array} id @param {string} tail */
const touchLines = async (s, id, tail) => {
	const ring = s.idle.keys()
	const token = await sealToken(ring, s.now, s.now + Math.min(s.allowance, ring.life), id)
	return [label(s.name, TOUCH) + '=' + token + tail, ...expire(s, 0, 1 << TOUCH)]
}

/** @type {typeof import('./signet.d.ts').touch} */
export const touch = async (session, options) => {
	const s = settings(options)
	if (!s.idle || (session.touched && s.now < session.touched + Math.floor(s.idle.timeout / 10))) return []
	return touchLines(s, /** @type {Uint8Array} */ (decode(session.id)), age(s, session, session.expires) + s.attributes)
}

/** @type {typeof import('./signet.d.ts').clear} */
export const clear = (options) => {
	const s = settings(options)
	return expire(s, read(s.cookieHeader, s.name).carried | 1 | (1 << TOUCH), 0)
}
