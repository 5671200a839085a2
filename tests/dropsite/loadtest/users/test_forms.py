from dropsite.loadtest.users import forms

PAGE = """
<form action="/search/"><input name="q" value="1"></form>
<form method="post" action="/drops/x/hold/?from=pick">
  <input type="hidden" name="token" value="a&amp;b">
  <input type="radio" name="edition" value="1"><input type="radio" name="edition" value="2" checked>
  <input type="radio" name="edition" value="3" disabled>
  <input type="checkbox" name="news"><input type="number" name="quantity-7" value="1" max="2">
  <select name="country"><option value="AT"><option value="DE" selected></select>
  <select name="zone"><option value="near"><option value="far"></select>
  <textarea name="note">soon</textarea>
  <input value="without a name"><button name="go" value="1">Hold</button>
</form>
<input name="outside" value="1">
"""


def test_default_data_is_what_a_browser_would_submit() -> None:
    form = forms.find(PAGE, ending="/hold/")

    assert form is not None
    assert form.method == "post"
    assert form.default_data() == {
        "token": "a&b",
        "edition": "2",
        "quantity-7": "1",
        "country": "DE",
        "zone": "near",
        "note": "soon",
    }


def test_enabled_leaves_out_disabled_controls() -> None:
    form = forms.find(PAGE, ending="/hold/")

    assert form is not None
    assert [control.value for control in form.enabled("edition")] == ["1", "2"]


def test_find_returns_none_for_a_different_action() -> None:
    assert forms.find(PAGE, ending="/pay/") is None
