// Opens and seals what stdin says with npm jose, and answers on stdout.
import { EncryptJWT, decodeProtectedHeader, importJWK, jwtDecrypt } from 'jose'

const { jwks, audience, now, open, seal } = JSON.parse(await new Response(process.stdin).text())

// The key is the one that the token names. importJWK goes by the alg that the export carries.
const key = (kid) => importJWK(jwks.keys.find((k) => k.kid === kid))

const opened = []
for (const token of open) {
  const { payload } = await jwtDecrypt(token, await key(decodeProtectedHeader(token).kid), {
    audience,
    currentDate: new Date(now * 1000),
    requiredClaims: ['iat', 'exp', 'aud'],
  })
  opened.push(payload)
}

const sealed = []
for (const { header, claims } of seal) {
  const members = Object.fromEntries(header) // in the given order
  sealed.push(await new EncryptJWT(claims).setProtectedHeader(members).encrypt(await key(members.kid)))
}

console.log(JSON.stringify({ opened, sealed }))
