"""Risk classes: explicit rules over what is touched; raised, never lowered (MODE-1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.nouns import Risk
from swarm.core.policy import risk
from swarm.core.snapshot import RiskRule
from swarm.testing.builders import change

pytestmark = pytest.mark.req("MODE-1")
paths = st.lists(
    st.sampled_from(
        ["README.md", "src/a.py", ".github/x.yml", "db/1.sql", "poetry.lock", "src/pay/b.py"]
    ),
    max_size=4,
).map(tuple)
rules = st.lists(
    st.builds(
        RiskRule,
        pattern=st.sampled_from(["src/**", "*.md", "src/pay/**"]),
        risk=st.sampled_from(Risk),
    ),
    max_size=3,
)


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("README.md", Risk.R0),
        ("src/shop/cart.py", Risk.R0),
        (".github/workflows/ci.yml", Risk.R3),
        (".GitHub/workflows/ci.yml", Risk.R3),
        (".github/CODEOWNERS", Risk.R3),
        ("CODEOWNERS", Risk.R3),
        ("docs/CODEOWNERS", Risk.R3),
        (".gitlab-ci.yml", Risk.R3),
        ("shop/migrations/0001_first.py", Risk.R3),
        ("migrations/0001_first.py", Risk.R3),
        ("src/emigrations/a.py", Risk.R0),
        ("report.SQL", Risk.R3),
        ("infra/main.tf", Risk.R3),
        ("Dockerfile", Risk.R3),
        ("build/Dockerfile.dev", Risk.R3),
        ("swarm.toml", Risk.R3),
        ("requirements.txt", Risk.R2),
        ("app/requirements-dev.txt", Risk.R2),
        ("uv.lock", Risk.R2),
        ("web/package.json", Risk.R2),
        ("pyproject.toml", Risk.R2),
        ("src/pyproject.toml.py", Risk.R0),
    ],
)
def test_what_is_touched_decides(path, level):
    assert risk.of_paths(Risk.R0, (path,), ()).risk is level


@pytest.mark.parametrize(
    ("path", "pattern", "takes"),
    [
        ("src/schema.py", "src/**/schema.py", True),
        ("src/a/b/schema.py", "src/**/schema.py", True),
        ("schema.py", "src/**/schema.py", False),
        ("deep/below/Dockerfile", "Dockerfile", True),
        ("Dockerfile", "/Dockerfile", True),
        ("deep/Dockerfile", "/Dockerfile", False),
        ("infra/net/main.txt", "infra/", True),
        ("old/infra/main.txt", "infra/", True),
        ("src/a.py", "src/*.py", True),
        ("src/deep/a.py", "src/*.py", False),
        ("src/deep/a.py", "src/*", True),
        ("src/deep/a.py", "src", True),
        ("SRC/Pay/A.py", "src/pay/**", True),
        ("src/pay", "src/pay/**", False),
        ("a-b.txt", "a[-_]b.txt", True),
        ("b.txt", "[!a].txt", True),
        ("a.txt", "[!a].txt", False),
        ("x.txt", "[z-a].txt", True),
        ("[a].txt", "[[]a].txt", True),
        ("any/thing", "**", True),
        ("a+b(c).txt", "a+b(c).txt", True),
        ("aab.c.txt", "a+b.c.txt", False),
        ("[ab.txt", "[ab.txt", True),
        ("a.txt", "[ab.txt", False),
    ],
)
def test_a_pattern_takes_what_gitignore_would_take(path, pattern, takes):
    assert risk.matches(path, pattern) is takes


@given(base=st.sampled_from(Risk), touched=paths, more=paths, added=rules)
def test_touching_more_or_ruling_more_never_lowers_the_risk(base, touched, more, added):
    alone = risk.of_paths(base, touched, ()).risk
    assert alone >= base
    assert risk.of_paths(base, (*touched, *more), ()).risk >= alone
    assert risk.of_paths(base, touched, added).risk >= alone


@given(base=st.sampled_from(Risk), higher=st.sampled_from(Risk), touched=paths)
def test_a_riskier_mission_is_never_a_less_risky_change(base, higher, touched):
    low, high = sorted((base, higher))
    assert risk.of_paths(low, touched, ()).risk <= risk.of_paths(high, touched, ()).risk


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        pytest.param({}, Risk.R0, id="nothing-special"),
        pytest.param({"risk": Risk.R2}, Risk.R2, id="the-intake-said-so"),
        pytest.param({"tests_removed": 1}, Risk.R2, id="tests-removed"),
        pytest.param({"guarded": ("CODEOWNERS",)}, Risk.R3, id="guards-the-repository"),
        pytest.param({"paths": ("db/a.sql",), "tests_removed": 4}, Risk.R3, id="the-worst-wins"),
    ],
)
def test_the_change_itself_raises_the_risk_and_says_why(fields, level):
    found = risk.of_change(Risk.R0, change(**{"paths": ("README.md",), **fields}), ())
    assert found.risk is level
    assert bool(found.why) is (level > Risk.R0 and "risk" not in fields)


def test_an_installation_adds_rules_and_takes_none_away():
    tame = (RiskRule(pattern="**", risk=Risk.R0),)
    assert risk.of_paths(Risk.R0, ("db/a.sql",), tame).risk is Risk.R3
    own = (RiskRule(pattern="src/pay/**", risk=Risk.R3, why="money"),)
    found = risk.of_paths(Risk.R1, ("src/pay/a.py",), own)
    assert found.risk is Risk.R3
    assert found.why == ("src/pay/a.py (money) is R3",)


def test_only_what_raises_the_risk_is_told():
    assert risk.of_paths(Risk.R3, ("db/a.sql", "uv.lock"), ()).why == ()
    assert risk.of_paths(Risk.R2, ("db/a.sql", "uv.lock"), ()).why == (
        "db/a.sql (data or schema) is R3",
    )
    removed = change(paths=("README.md",), tests_removed=1)
    assert risk.of_change(Risk.R2, removed, ()).why == ()
    assert risk.of_change(Risk.R1, removed, ()).why == ("1 test removed: R2",)
