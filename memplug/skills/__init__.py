"""Agent Skills: a `SKILL.md` with the files beside it, read without running or unpacking any of them."""
