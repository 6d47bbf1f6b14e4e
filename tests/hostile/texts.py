"""What is written by people who mean harm. Each is short enough to stand whole in all but the shortest columns."""

# Would be the name of an element or an attribute, if a page took text for markup.
MARK = "xqz"
# What a template would make of it, if it were one.
CALCULATED = "7777777"
LONGEST = 29

HOSTILE = {
    "script": f"<script>{MARK}(1)</script>",
    "element out of an attribute": f'"><{MARK}><img onerror={MARK}()>',
    "attribute": f"' onmouseover={MARK}(1) {MARK}='",
    "attribute in double quotes": f'" onfocus={MARK}(1) {MARK}="',
    "template": "{{1111111*7}}{{request}}",
    "template tag": "{% debug %}${1111111*7}",
    "address": f"javascript:{MARK}(1)//",
    "address with a break": f"java\tscript:{MARK}(1)",
    "end of a script": f"</script></svg><{MARK}>",
    "end of a field": f"</textarea></title><{MARK}>",
    "htmx": "<a hx-get=/x hx-trigger=load>",
    "htmx as attributes": '" hx-get="/" hx-trigger="load',
    "terminal": f"\x1b[31mred\x1b]0;{MARK}\x07\x9b1m\x7f",
    "turned": "\u202egnp.exe\u2066\u2067",
    "line separators": f"a\u2028{MARK}\u2029\x85b",
    "references": f"&lt;{MARK}&gt;&#60;{MARK}&#62;",
    "comment": f"--><{MARK}><!--]]><![CDATA[",
    "another host": f"//{MARK}.example/\\\\{MARK}",
}
HARMLESS = "harmless"
