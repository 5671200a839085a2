"""Find what a supported browser lacks in a script, unless the script tests for it first.

A test is the condition of an `if` or `?:` or the first part of `&&`, if it names the same feature, or a call
with `?.`. So is `"share" in navigator`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import tree_sitter
import tree_sitter_javascript

from deploy.browsers.support import Newer, read_newer

JAVASCRIPT = tree_sitter.Language(tree_sitter_javascript.language())
FEATURES = read_newer()
GLOBALS = {feature.name: feature for feature in FEATURES if feature.kind == "global"}
STATICS = {feature.name: feature for feature in FEATURES if feature.kind == "static"}
METHODS: dict[str, list[Newer]] = {}
for _feature in FEATURES:
    if _feature.kind == "method":
        METHODS.setdefault(_feature.name.rpartition(".")[2], []).append(_feature)
GLOBAL_OBJECTS = {"globalThis", "self", "window"}
# Objects of which there is one. Only what is asked of them by name is theirs: `share` may be anybody's.
SINGLETONS = {"Navigator": "navigator", "Crypto": "crypto", "Screen": "screen", "Location": "location"}
SYNTAX = {
    "class_static_block": "Safari 16.4",
    "import_attribute": "Safari 17.2, Firefox 138, Chromium 123",
    "using_declaration": "Firefox 141, Chromium 134",
}
CHOICES = {"&&", "||", "??", "==", "===", "!=", "!=="}
LOOKBEHIND = ("(?<=", "(?<!")


class Problem(NamedTuple):
    """A use of a feature that a supported browser lacks."""

    line: int
    name: str
    first: str

    def __str__(self) -> str:
        return f"{self.line}: {self.name} needs {self.first}: test for it first, or do without"


def text(node: tree_sitter.Node | None) -> str:
    """Return a node's source."""
    return (node.text or b"").decode() if node else ""


def walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """The node and everything below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def member_of(node: tree_sitter.Node) -> tuple[str, str] | None:
    """Return object and name of `object.name`, `object?.name`, `object["name"]` or `"name" in object`."""
    if node.type == "member_expression":
        return text(node.child_by_field_name("object")), text(node.child_by_field_name("property"))
    if node.type == "subscript_expression":
        index = node.child_by_field_name("index")
        if index and index.type == "string":
            return text(node.child_by_field_name("object")), text(index)[1:-1]
    if node.type == "binary_expression" and text(node.child_by_field_name("operator")) == "in":
        left = node.child_by_field_name("left")
        if left and left.type == "string":
            return text(node.child_by_field_name("right")), text(left)[1:-1]
    return None


def feature_of(owner: str, name: str) -> Newer | None:
    """Return the newer feature that `owner.name` means, if any."""
    if owner.rpartition(".")[2] == "dataset":
        return None
    short = owner.rpartition(".")[2] if owner.partition(".")[0] in GLOBAL_OBJECTS else owner
    if short in GLOBAL_OBJECTS:
        return GLOBALS.get(name)
    if f"{short}.{name}" in STATICS:
        return STATICS[f"{short}.{name}"]
    methods = METHODS.get(name, ())
    possible = [
        method for method in methods if SINGLETONS.get(method.name.partition(".")[0]) in {None, short}
    ]
    exact = [method for method in possible if method.name == f"{short}.{name}"]
    return next(iter(exact + possible), None)


def declared_names(root: tree_sitter.Node) -> set[str]:
    """Every name that the script declares or imports: these aren't the browser's."""
    holders = {"variable_declarator": "name", "function_declaration": "name", "class_declaration": "name"}
    found = set()
    for node in walk(root):
        if node.type in holders:
            target = node.child_by_field_name(holders[node.type])
        elif node.type in {"formal_parameters", "import_clause"}:
            target = node
        else:
            continue
        patterns = {"identifier", "shorthand_property_identifier_pattern"}
        found |= {text(part) for part in walk(target) if part.type in patterns} if target else set()
    return found


def features_of_pattern(pattern: tree_sitter.Node) -> Iterator[Newer]:
    """Newer features in `const { timeout } = AbortSignal`. Of an unknown object, methods may be our own."""
    if pattern.parent is None or pattern.parent.type != "variable_declarator":
        return
    owner = text(pattern.parent.child_by_field_name("value"))
    for part in pattern.named_children:
        feature = feature_of(owner, text(part).partition(":")[0].strip())
        if feature and (feature.kind != "method" or owner in SINGLETONS.values()):
            yield feature


def uses(root: tree_sitter.Node) -> Iterator[tuple[tree_sitter.Node, Newer]]:
    """Every place that names a newer feature, tests included."""
    declared = declared_names(root)
    for node in walk(root):
        member = member_of(node)
        feature = feature_of(*member) if member else None
        if node.type == "identifier" and text(node) not in declared:
            feature = GLOBALS.get(text(node))
        if feature:
            yield node, feature
        if node.type == "object_pattern":
            yield from ((node, found) for found in features_of_pattern(node))


def is_negated(condition: tree_sitter.Node) -> bool:
    """Whether a condition is `!something`."""
    while condition.type == "parenthesized_expression":
        condition = condition.named_children[0]
    return condition.type == "unary_expression" and text(condition.child_by_field_name("operator")) == "!"


def tested_part(node: tree_sitter.Node, child: tree_sitter.Node) -> tree_sitter.Node | None:
    """Return what must hold for `child`, a part of `node`, to be reached; None if it always is."""
    if node.type in {"if_statement", "ternary_expression"}:
        condition = node.child_by_field_name("condition")
        if condition is None:
            return None
        branch = "alternative" if is_negated(condition) else "consequence"
        return condition if node.child_by_field_name(branch) == child else None
    if node.type == "binary_expression" and text(node.child_by_field_name("operator")) == "&&":
        left = node.child_by_field_name("left")
        return left if left != child else None
    return None


def has_optional_chain(node: tree_sitter.Node) -> bool:
    """Whether it is `something?.`, called or asked for a member."""
    return any(child.type == "optional_chain" for child in node.children)


def is_called(node: tree_sitter.Node) -> bool:
    """Whether it is used here: called or asked for a member without `?.`, constructed, or written to."""
    parent = node.parent
    if parent is None:
        return False
    for kind, field in (("call_expression", "function"), ("member_expression", "object")):
        if parent.type == kind and parent.child_by_field_name(field) == node:
            return not has_optional_chain(parent)
    return parent.type in {"new_expression", "assignment_expression"}


def is_test(node: tree_sitter.Node) -> bool:
    """Whether it is only looked at: in a condition, before `&&`, `||` or `??`, after `!`, or before `?.`."""
    if is_called(node):
        return False
    if node.type == "binary_expression":  # "share" in navigator
        return True
    child, parent = node, node.parent
    while parent and parent.type in {"parenthesized_expression", "unary_expression", "binary_expression"}:
        if parent.type == "unary_expression":
            return True
        is_left = parent.child_by_field_name("left") == child
        if is_left and text(parent.child_by_field_name("operator")) in CHOICES:
            return True
        child, parent = parent, parent.parent
    if parent and parent.type in {"if_statement", "ternary_expression"}:
        return parent.child_by_field_name("condition") == child
    return parent is not None and has_optional_chain(parent)


def is_guarded(node: tree_sitter.Node, feature: Newer) -> bool:
    """Whether a test of the same feature decides if this use is reached."""
    child = node
    parent = node.parent
    while parent:
        condition = tested_part(parent, child)
        if condition and any(found == feature for _, found in uses(condition)):
            return True
        child, parent = parent, parent.parent
    return False


def syntax_problems(root: tree_sitter.Node) -> Iterator[Problem]:
    """Syntax that a supported browser can't read: the whole script would not run."""
    for node in walk(root):
        line = node.start_point.row + 1
        if node.type in SYNTAX:
            yield Problem(line, node.type.replace("_", " "), SYNTAX[node.type])
        if node.type == "regex_pattern" and any(part in text(node) for part in LOOKBEHIND):
            yield Problem(line, "a lookbehind", "Safari 16.4")
        if node.type == "regex_flags" and "v" in text(node):
            yield Problem(line, "the flag v", "Safari 17, Chromium 112, Firefox 116")


def problems(source: str) -> list[Problem]:
    """Return each use, in a script, of what a supported browser lacks and the script doesn't test for."""
    root = tree_sitter.Parser(JAVASCRIPT).parse(source.encode()).root_node
    found = list(syntax_problems(root))
    for node, feature in uses(root):
        if not is_test(node) and not is_guarded(node, feature):
            found.append(Problem(node.start_point.row + 1, feature.name, feature.first))
    return sorted(set(found))
