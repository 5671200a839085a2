"""Static files under names that carry their hash, and modules that import each other under those names."""

from typing import Any

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

# Of the shop's own modules only: Django's switch for imports would also rewrite what other apps bundle.
OURS = ("shop/js/*.js",)
IMPORT = (r'(?P<matched>from "(?P<url>\.{1,2}/[a-z./]+\.js)")', 'from "%(url)s"')


class HashedFiles(ManifestStaticFilesStorage):
    """Rewrites `from "./clock.js"` as it rewrites url() in stylesheets."""

    patterns = (*ManifestStaticFilesStorage.patterns, *((files, (IMPORT,)) for files in OURS))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.urls: dict[str | None, str] = {}

    def url(self, name: str | None, force: bool = False) -> str:
        """Give a file's address, found out once: the files of a running process don't change."""
        if name not in self.urls:
            self.urls[name] = super().url(name, force)  # type: ignore[arg-type]  # the stubs are narrower than Django
        return self.urls[name]
