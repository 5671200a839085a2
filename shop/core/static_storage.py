"""Static files under names with their hash, with scripts that import each other by those names."""

from typing import Any

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

# Only the shop's own scripts: Django's option for imports would also rewrite the other apps' bundles.
OWN_SCRIPTS = ("shop/js/*.js",)
IMPORT = (
    r'(?P<matched>(?P<statement>from |import\()"(?P<url>\.{1,2}/[a-z./]+\.js)")',
    '%(statement)s"%(url)s"',
)


class HashedFiles(ManifestStaticFilesStorage):
    """Rewrites `from "./clock.js"` and `import("./ticket.js")` in scripts, as Django does url() in styles."""

    patterns = (*ManifestStaticFilesStorage.patterns, *((files, (IMPORT,)) for files in OWN_SCRIPTS))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.urls: dict[str | None, str] = {}

    def url(self, name: str | None, force: bool = False) -> str:
        """Return a file's URL, looked up once, because the files of a running process don't change."""
        if name not in self.urls:
            self.urls[name] = super().url(name, force)  # type: ignore[arg-type]  # the stubs are narrower than Django
        return self.urls[name]
