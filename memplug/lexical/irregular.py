"""English words whose forms share no stem: questions ask what somebody *bought*, by asking what they did *buy*.

Left out are forms that are as often another word (rose, bit, lives, leaves).
"""

from __future__ import annotations

_FORMS = """
arise arose arisen; awake awoke awoken; beat beaten; become became; begin began begun; bend bent; bite bitten;
bleed bled; blow blew blown; break broke broken; breed bred; bring brought; build built; burn burnt;
buy bought; catch caught; choose chose chosen; cling clung; come came; creep crept; deal dealt; dig dug;
draw drew drawn; dream dreamt; drink drank drunk; drive drove driven; eat ate eaten; fall fell fallen;
feed fed; feel felt; fight fought; find found; flee fled; fly flew flown; forbid forbade forbidden;
forget forgot forgotten; forgive forgave forgiven; freeze froze frozen; get got gotten; give gave given;
go went gone; grow grew grown; hear heard; hide hid hidden; hold held; keep kept; kneel knelt; know knew known;
lay laid; lead led; learn learnt; leave left; lie lain; lose lost; make made; mean meant; meet met; pay paid;
ride rode ridden; ring rang rung; rise risen; run ran; say said; see saw seen; seek sought; sell sold;
send sent; shake shook shaken; shine shone; show shown; shrink shrank shrunk; sing sang sung; sink sank sunk;
sit sat; sleep slept; slide slid; speak spoke spoken; spend spent; spin spun; stand stood; steal stole stolen;
sting stung; strike struck; swear swore sworn; sweep swept; swim swam swum; swing swung; take took taken;
teach taught; tear tore torn; tell told; think thought; throw threw thrown; understand understood;
wake woke woken; wear wore worn; weave wove woven; weep wept; win won; withdraw withdrew withdrawn;
write wrote written; child children; foot feet; goose geese; man men; woman women; mouse mice; person people;
tooth teeth; wife wives; knife knives; shelf shelves; wolf wolves; half halves; loaf loaves; thief thieves
"""


def _base_forms() -> dict[str, str]:
    groups = [group.split() for group in _FORMS.split(";")]
    return {form: base for base, *forms in groups for form in forms}


#: The base form of each irregular form.
BASE_FORMS = _base_forms()
