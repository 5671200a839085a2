"""The forms of an HTML page, as a browser without JavaScript would submit them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = dict[str, str]


@dataclass
class Control:
    """One named control; `kind` is an input's type, or select, textarea, button."""

    name: str
    kind: str
    value: str = ""
    checked: bool = True  # an unticked box isn't submitted
    options: list[str] = field(default_factory=list)
    attributes: Attributes = field(default_factory=dict)

    @property
    def disabled(self) -> bool:
        return "disabled" in self.attributes


@dataclass
class Form:
    """One form with its controls in the order of the page."""

    action: str
    method: str
    attributes: Attributes
    controls: list[Control] = field(default_factory=list)

    def enabled(self, *names: str) -> list[Control]:
        """Return the enabled controls with these names."""
        return [control for control in self.controls if control.name in names and not control.disabled]

    def default_data(self) -> dict[str, str]:
        """Return what is submitted if nothing is changed; buttons are left out."""
        return {
            control.name: control.value
            for control in self.controls
            if control.checked and not control.disabled and control.kind not in {"button", "submit"}
        }


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: Control | None = None
        self._textarea: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = attributes.get("method", "get").lower()
            self._form = Form(attributes.get("action", ""), method, attributes)
            self.forms.append(self._form)
        elif tag == "option" and self._select:
            value = attributes.get("value", "")
            self._select.options.append(value)
            # A browser preselects the first option unless another is marked.
            if "selected" in attributes or len(self._select.options) == 1:
                self._select.value = value
        elif tag in {"input", "select", "textarea", "button"} and self._form and attributes.get("name"):
            self._add_control(self._form, tag, attributes)

    def _add_control(self, form: Form, tag: str, attributes: Attributes) -> None:
        default_kind = tag
        if tag == "input":
            default_kind = "text"
        kind = attributes.get("type", default_kind).lower()
        control = Control(attributes["name"], kind, attributes.get("value", ""), attributes=attributes)
        if kind in {"radio", "checkbox"}:
            control.checked = "checked" in attributes
            control.value = attributes.get("value", "on")
        form.controls.append(control)
        if tag == "select":
            self._select = control
        if tag == "textarea":
            self._textarea = control

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._textarea.value += data


def parse(html: str) -> list[Form]:
    """Return all forms of a page."""
    parser = _FormParser()
    parser.feed(html)
    parser.close()
    return parser.forms


def find(html: str, *, ending: str) -> Form | None:
    """Return the first form whose action, without its query, ends like this."""
    for form in parse(html):
        path = form.action.partition("?")[0]
        if path.endswith(ending):
            return form
    return None
