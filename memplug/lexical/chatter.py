"""Messages that say nothing worth remembering: greetings, thanks, goodbyes, and that one has understood.

The whole rule is the table below: a message is chatter where nothing is left of it once these phrases are taken out.
Whatever else stands there (a name, a number, another word) makes it a message. What may answer a question is none of
them, in whatever language: "yes", "no", "okay", "sure", "great", "I got it", "I understand"; nor "yo", "um" and "пока",
which are "I", "one" and "not yet" to others, nor "bis morgen" and "hasta mañana", which also say until when.
"""

from __future__ import annotations

import re
from functools import cache

from memplug.lexical.sameness import same_words

#: Phrases by rule; languages: English, Chinese, German, French, Spanish, Portuguese, Italian, Dutch, Russian, Japanese,
#: Korean. Each is compared without case and punctuation.
PHRASES: dict[str, str] = {
    "greeting": """
hi | hey | hello | hello there | hi there | hey there | hiya | howdy | good morning | good afternoon
good evening | how are you ? | how are you doing ? | how is it going ? | how's it going ? | what's up ?
nice to meet you | welcome back | how can i help you ? | how can i help you today ? | how may i help you ?
how can i assist you today ?
你好 | 您好 | 嗨 | 哈喽 | 早 | 早上好 | 早安 | 上午好 | 中午好 | 下午好 | 晚上好 | 大家好 | 在吗 ? | 你好吗 ?
你好啊 | 请问有什么可以帮您 ? | 有什么可以帮你的吗 ? | 你们好 | 最近怎么样 ?
hallo | guten tag | guten morgen | guten abend | servus | moin | grüß gott | wie geht's ? | wie geht es dir ?
bonjour | bonsoir | salut | coucou | ça va ? | comment ça va ? | hola | buenos días | buenas tardes | buenas noches
¿cómo estás ? | qué tal ? | cómo estás ? | olá | oi | bom dia | boa tarde | boa noite | tudo bem ? | ciao | buongiorno
buonasera | salve | come stai ? | hoi | goedemorgen | goedemiddag | goedenavond | привет | здравствуйте | здравствуй
доброе утро | добрый день | добрый вечер | как дела ? | こんにちは | こんばんは | おはよう | おはようございます | やあ
안녕 | 안녕하세요 | 여보세요
""",
    "thanks": """
thanks | thank you | thanks a lot | thanks so much | thank you so much | thank you very much | many thanks | thx | ty
cheers | much appreciated | i appreciate it | you're welcome | you are welcome | my pleasure
don't mention it | glad to help | happy to help | glad i could help
谢谢 | 谢谢你 | 谢谢您 | 多谢 | 非常感谢 | 感谢 | 谢了 | 谢谢啦 | 不客气 | 不用谢 | 别客气 | 太感谢了
danke | danke schön | vielen dank | danke sehr | gern geschehen
merci | merci beaucoup | de rien | je vous en prie | gracias | muchas gracias | de nada | por nada
obrigado | obrigada | muito obrigado | muito obrigada | grazie | grazie mille | di niente | dank je | dank u
bedankt | graag gedaan | спасибо | большое спасибо | не за что | ありがとう | ありがとうございます
どういたしまして | 감사합니다 | 고마워 | 고맙습니다 | 천만에요
""",
    "goodbye": """
bye | bye bye | goodbye | good bye | good night | see you | see you later | see you soon | see you tomorrow | see ya
take care | talk to you later | ttyl | have a nice day | have a good day | have a great day | have a good one
enjoy your day | until next time
再见 | 拜拜 | 晚安 | 回头见 | 明天见 | 下次见 | 回见 | 祝你愉快 | 祝您生活愉快 | 祝你有美好的一天
tschüss | tschüs | auf wiedersehen | bis bald | gute nacht | schönen tag noch | mach's gut
au revoir | à bientôt | à plus | bonne nuit | bonne journée | adiós | hasta luego | hasta pronto
chao | chau | tchau | até logo | até mais | arrivederci | a presto | buona notte | buona giornata
tot ziens | doei | fijne dag | до свидания | до встречи | спокойной ночи | さようなら | またね | じゃあね
おやすみ | おやすみなさい | 안녕히 가세요 | 안녕히 계세요 | 잘 가 | 잘 자
""",
    "acknowledgement": """
got it | i see | understood | noted | makes sense | that makes sense | hm | hmm
uh | oh | ah | wow | lol | haha | hahaha | let me know if you need anything else
明白 | 明白了 | 知道了 | 了解 | 了解了 | 我明白了 | 我知道了 | 哦 | 噢 | 哈哈 | 哈哈哈
verstanden | compris | j'ai compris | entendido | entendi | capito | ho capito | begrepen | понятно | ясно
了解です | 了解しました | なるほど | 알겠습니다 | 알겠어요
""",
}

#: Longer ones are read by nobody's rule: nobody greets in that many words.
_LONGEST = 200
#: Words beside such a phrase that say as little: "oh hi", "thanks again".
_FILLERS = re.findall(
    r"\w+", "well so then and very much again all everyone everybody guys folks there 啊 呀 啦 哈 und et y e"
)
#: From here on, scripts have no blanks between words.
_UNSPACED = "\u2e80"
_EMOJI = re.compile("[\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]+")


def chatter(text: str) -> str | None:
    """The name of the rule by which a message is chatter; None where it may say something.

    Returns:
        ``greeting``, ``thanks``, ``goodbye`` or ``acknowledgement``, as its first phrase has it.
    """
    if len(text) > _LONGEST:
        return None
    rest = " ".join(_EMOJI.sub(" ", same_words(text)).split())
    rule = None
    while rest:
        found = _leading(rest)
        if found is None:
            return None
        rule = rule or found[0]
        rest = rest[found[1] :].lstrip()
    return rule


def _leading(rest: str) -> tuple[str | None, int] | None:
    """The rule of the longest phrase that a text begins with, and its length; no rule where it is a filler."""
    for phrase, rule in _phrases():
        end = len(phrase)
        if rest.startswith(phrase) and (rest[end : end + 1] in {"", " "} or phrase[-1] >= _UNSPACED):
            return rule, end
    return None


@cache
def _phrases() -> tuple[tuple[str, str | None], ...]:
    """All phrases as they are compared, with their rules, the longest first."""
    found: dict[str, str | None] = dict.fromkeys(_FILLERS)
    for rule, table in PHRASES.items():
        found |= {same_words(phrase): rule for phrase in re.split(r"[|\n]", table) if phrase.strip()}
    return tuple(sorted(found.items(), key=lambda one: -len(one[0])))
