"""Values that no page of ours sends, for every field that a stranger can fill in, and requests with them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote_from_bytes

Pairs = list[tuple[bytes, bytes]]

TEXTS = {
    "missing": ("", " ", "\t", "null", "None", "undefined", "true", "[]", "{}"),
    "numbers": (
        "0", "-0", "+1", "1.0", "1e9", "1e999", "NaN", "Infinity", "0x10", "1_000", "0" * 60 + "1", "9" * 17,
        "1" * 18, "9" * 19, "32768", "2147483648", "9223372036854775808", "18446744073709551616",
        "340282366920938463463374607431768",
    ),
    "negative": ("-1", "-32769", "-2147483649", "-9223372036854775809", "-" + "9" * 4_400, "−1"),
    "huge": (
        "0" * 4_400, "9" * 4_400, "a" * 5_000, "é" * 2_000, "\U0001f600" * 900, "e\u0301" * 1_500, "a" * 51,
        "[" * 500,
    ),
    "digits of other scripts": ("１", "９９", "٣", "²", "½", "\u0660" * 30, "৪২", "Ⅳ", "①"),
    "control characters": (
        "\0", "a\0b", "\x01", "\x1b[2J", "\x7f", "\x85", "\r\nSet-Cookie: a=b", "\n", "a\r\n\r\nb", "\x0b",
    ),
    "invisible": (
        "\u2028", "\u2029", "\u202eevil", "\u2066a\u2069", "\u200b", "\u200d", "\ufeff", "\ufffe", "\uffff",
        "\U0010ffff", "\U000e0041", "\ufff9a\ufffb", "\u00ad", "\u061c", "\ue000", "\ufffd",
    ),
    "code": (
        "'", '"', "';--", "\\", "\\u0000", "\\ud800", "<script>alert(1)</script>", "{{7*7}}", "{% debug %}",
        "${jndi:ldap://x}", "{0.__class__}", "%s%n", "%00", "%", "%zz", "%ud800", "*", "(?=(a+)+)$", "$(id)",
        "{}}{",
    ),
    "paths": (
        "..", ".", "../../etc/passwd", "//evil.example", "/[[[", "//[[[", "[", "]", "http://[", "a/b", ";a=b",
        "?a", "#a", "\\\\",
    ),
    "ours, almost": (
        "1.k1.AAAA.AAAA", "1.k1..", "....", "1.k1." + "A" * 90 + ".AAAA", "ctoken_" + "x" * 80, "ctoken_\n",
        "ctoken_é", "quantity-", "drop-\u0131", "DROP", "evt_" + "x" * 300, "pi_" + "x" * 300,
    ),
    "addresses": (
        "a@b@c", "@", "a@", "a@\u202e.example", "a@exa\u200bmple.com", '"a\x01"@example.com',
        "a" * 300 + "@example.com", "a@" + "b." * 130 + "com", "DE\0", "de", "ZZ", "DEU", "EUR",
    ),
}  # fmt: skip
# Bytes that aren't UTF-8: lone surrogates, overlong forms, a sequence that breaks off, a value too large.
BYTES = (
    b"\xed\xa0\x80", b"a\xed\xbf\xbfb", b"\xff\xfe", b"\xc0\xaf", b"\xc0\x80", b"\x80", b"\xe2\x82",
    b"\xf4\x90\x80\x80",
)  # fmt: skip
HEADERS = (
    "Accept", "Accept-Language", "Accept-Encoding", "Origin", "Sec-Fetch-Site", "Referer", "User-Agent",
    "Authorization", "Range", "If-Modified-Since", "If-None-Match", "X-Forwarded-For", "X-Forwarded-Proto",
    "X-Request-ID", "X-Client-Key", "X-Requested-With", "X-CSRFToken", "Stripe-Signature", "Cookie",
    "Content-Type", "Host",
)  # fmt: skip
FORM = "application/x-www-form-urlencoded"
CONTENT_TYPES = (
    f"{FORM}; charset=utf-8", f"{FORM}; charset=utf-16", f"{FORM}; charset=idna", f"{FORM}; charset=hex",
    f"{FORM}; charset=undefined", f"{FORM}; charset=unicode_escape", f"{FORM}; charset*=utf-8''hex",
    f"{FORM}; charset*=x''y", f"{FORM}; charset*0*=x''y", f"{FORM}; charset*{'9' * 4_400}=y",
    f"{FORM}; a*=nonsense''%ff", f"{FORM};;;=;", "multipart/form-data", "multipart/form-data; boundary=b",
    'multipart/form-data; boundary="b"', "multipart/form-data; boundary=b; charset=unicode_escape",
    "multipart/form-data; boundary=b; charset=idna", "multipart/form-data; boundary=b; charset=undefined",
    "multipart/form-data; boundary=" + "b" * 400, "multipart/form-data; boundary=\xe9",
    "multipart/form-data; boundary*=x''b", "multipart/mixed; boundary=b", "application/json",
    "application/json; charset=utf-7", "text/plain", "", ";", "\xff", "a" * 2_000, "image/png",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO", "get", "-", "G" * 99)
WAYS = ("replaced", "replaced", "replaced", "repeated", "missing", "added", "renamed", "many")
MANY = 1_200  # fields: more than Django reads


class Values:
    """Every hostile value in random order, again and again; `random` makes each run the same."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.values = self.endless()

    def endless(self) -> Iterator[bytes]:
        texts = [text for kind in TEXTS.values() for text in kind]
        values = [*(text.encode() for text in texts), *BYTES, *BYTES]
        while True:
            self.random.shuffle(values)
            yield from values

    def next(self) -> bytes:
        """Return the next value: any bytes."""
        return next(self.values)

    def header(self) -> bytes:
        """Return the next value as a header's: servers let through neither line breaks nor NUL."""
        return self.next().translate(None, b"\0\r\n").strip()[:7_000]

    def spoil(self, pairs: Pairs) -> Pairs:
        """Return the fields of a form, a query string or the cookies with one of them made hostile."""
        way = self.random.choice(WAYS)
        if way == "many" and self.random.random() < 0.1:
            return pairs + [(b"a%d" % number, b"") for number in range(MANY)]
        if way == "added" or not pairs:
            return [*pairs, (self.next(), self.next())]
        chosen = self.random.randrange(len(pairs))
        name, right = pairs[chosen]
        before, after = pairs[:chosen], pairs[chosen + 1 :]
        if way == "missing":
            return before + after
        if way == "renamed":
            return [*before, (name + self.next(), right), *after]
        if way == "repeated":
            return [*before, (name, right), (name, self.next()), *after]
        return [*before, (name, self.next()), *after]


@dataclass
class HostileRequest:
    """A request that is right until parts of it are spoiled. The path is percent-encoded."""

    method: str
    path: bytes
    form: Pairs = field(default_factory=list)
    query: Pairs = field(default_factory=list)
    cookies: Pairs = field(default_factory=list)
    headers: dict[str, bytes] = field(default_factory=dict)
    content_type: str = FORM
    body: bytes | None = None  # instead of the form

    def spoil(self, values: Values, arguments: list[bytes]) -> None:
        """Spoil one to three parts; `arguments` are the path's parts that a stranger chooses."""
        parts = ["query", "cookies", "headers", "headers", "method", "body"]
        if self.form:
            parts += ["form"] * 8
        if arguments:
            parts += ["path"] * 3
        for part in values.random.sample(parts, values.random.choice((1, 1, 1, 2, 3))):
            self.spoil_part(part, values, arguments)

    def spoil_part(self, part: str, values: Values, arguments: list[bytes]) -> None:
        if part == "form":
            self.form = values.spoil(self.form)
        elif part == "query":
            self.query = values.spoil(self.query)
        elif part == "cookies":
            quoted = b'"\\000%s"' % values.header()
            self.cookies = [
                (name, values.random.choice((value, quoted))) for name, value in values.spoil(self.cookies)
            ]
        elif part == "headers":
            self.headers[values.random.choice(HEADERS)] = values.header()
        elif part == "method":
            self.method = values.random.choice(METHODS)
        elif part == "body":
            self.content_type = values.random.choice(CONTENT_TYPES)
            if values.random.random() < 0.3:
                self.body = values.next()
        else:
            argument = values.random.choice(arguments)
            value = quote_from_bytes(values.next()).encode()
            self.path = self.path.replace(argument, values.random.choice((value, argument + value)), 1)

    def query_string(self) -> bytes:
        return encoded(self.query)[:6_000]

    def cookie_header(self) -> bytes:
        pairs = (name + b"=" + value for name, value in self.cookies)
        return b"; ".join(pairs).translate(None, b"\0\r\n")[:7_000]

    def payload(self) -> bytes:
        """Return the body: the form in the encoding that its content type asks for."""
        if self.body is not None:
            return self.body
        if self.content_type.startswith("multipart"):
            return multipart(self.form)
        return encoded(self.form)


def encoded(pairs: Pairs) -> bytes:
    """Return fields as a query string or as the body of a form."""
    return "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in pairs).encode()


def multipart(pairs: Pairs) -> bytes:
    """Return fields as a multipart form whose boundary is b."""
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, value)
        for name, value in pairs
    ]
    return b"".join(parts) + b"--b--\r\n"
