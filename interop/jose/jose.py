"""Opens and seals what stdin says with jwcrypto, and answers on stdout."""
import json
import sys

from jwcrypto import jwe, jwk, jwt

job = json.load(sys.stdin)
keys = jwk.JWKSet.from_json(json.dumps(job["jwks"]))

opened = []
for token in job["open"]:
    # JWT picks the key of the set by the kid, and checks exp and aud by itself.
    checked = jwt.JWT(jwt=token, key=keys, check_claims={"aud": job["audience"], "iat": None, "exp": None})
    opened.append(json.loads(checked.claims))

sealed = []
for s in job["seal"]:
    header = dict(s["header"])
    key = keys.get_key(header["kid"])
    if s["raw"]:  # the header word for word
        token = jwe.JWE(json.dumps(s["claims"]), json.dumps(header, separators=(",", ":")))
        token.add_recipient(key)
        sealed.append(token.serialize(compact=True))
    else:  # as jwcrypto writes it: sorted
        token = jwt.JWT(header=header, claims=s["claims"])
        token.make_encrypted_token(key)
        sealed.append(token.serialize())

json.dump({"opened": opened, "sealed": sealed}, sys.stdout)
