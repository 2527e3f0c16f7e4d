"""Words that say nothing about what a question is about.

Short on purpose: how rare a word is inside a scope weighs it anyway. A word that is a content word in another of
these languages (German "war", Dutch "door", French "son") is left out.
"""

from __future__ import annotations

_WORDS = """
a about after again all am an and any anybody anyone are as at be because been before being but by can could did do
does doing done else every everyone few for from had has have having he her hers herself him himself his how i if in
into is it its itself just many me more most much must my myself no nor not of off on one ones only or other our ours
out over own same shall she should so some such than that the their theirs them themselves then there these they this
those through to too under until up upon us very was we were what whatever when whenever where whether which while who
whom whose why will with would yet you your yours yourself
cannot im ive id youre hes shes theyre
whats wheres whos
please tell know remember recall ever kind sort thing
der das dem den des ein eine einen einem einer eines und oder aber nicht kein keine ich du er sie es wir ihr mich dich
sich mir dir uns euch mein meine meinen dein deine sein seine ist sind bin bist waren wird werden wurde haben habe
habt hatte zu zum zur von vom mit auf aus bei nach fur im ins uber unter auch noch nur schon wie wer wo wann warum
welche welcher welches dass wenn als
le la les un une et ou mais je tu il elle nous vous ils elles mon ma mes ta tes sa ses leur leurs ce cet cette ces
que qui quoi quand comment pourquoi quel quelle quels quelles est sont suis etes etait ai avons avez ont dans sur avec
sans du de au aux ne pas plus se
el los las uno unos unas y o pero yo ella ellos ellas nosotros mi mis su sus este esta estos estas eso esa ese es soy
eres somos fue era ha han he hay en por para del al lo le les se que cual cuales quien cuando donde como porque
lo gli uno una ed ma io lui lei noi voi loro mio mia tuo tua suo sua questo questa questi queste quello quella sono
sei siamo erano di da nel nella sul per della dello dei delle che chi cosa quando dove perche quale quali
um uma os as eu ele ela eles elas meu minha teu seu isto isso aquilo foi sao estou esta no na nos nas dos das com sem
pelo pela ao aos nao onde qual quais porque
het een en ik jij je hij wij ze jullie mijn jouw zijn haar ons onze dit dat deze niet geen ook maar wat wie waar
wanneer waarom hoe ben bent waren heb hebt heeft hebben wordt naar met voor bij uit
и в во не на я он она оно они мы вы ты что кто где когда как почему какой какая какое какие с со а но да же бы за
из от до по к у о об это этот эта эти тот та те то так его ее их мой моя мое мои твой твоя наш ваш был была было были
есть ли или для меня мне тебя тебе нас нам вас вам ему ей им чем чего кого
的 了 是 我 你 他 她 它 们 在 有 和 与 吗 呢 吧 啊 这 那 哪 什 么 谁 怎 不 也 都 就 很 到 说 要 去 会 着 没 个 为 之
"""  # noqa: RUF001 - Russian looks like that
#: The words as they stand; `memplug.lexical.analyzer` folds and stems them.
STOP_WORDS: tuple[str, ...] = tuple(dict.fromkeys(_WORDS.split()))
