"""Short queries for the sounds that collections hold, of which suggestions are chosen."""

from __future__ import annotations

_TEXTS = """
dog barking; dog growling; puppy whining; wolf howling; cat meowing; cat purring; lion roaring
horse galloping; horse neighing; cow mooing; pig grunting; sheep bleating; goat bleating
rooster crowing; hen clucking; ducks quacking; geese honking; turkey gobbling; birds singing
crow cawing; owl hooting; seagulls; pigeons cooing; woodpecker; bird wings flapping; parrot squawking
frogs croaking; crickets chirping; cicadas; bees buzzing; fly buzzing; mosquito; snake hissing
elephant trumpeting; monkeys screeching; whale song; mouse squeaking; rattlesnake

rain on a roof; heavy rain; rain on leaves; thunder; thunderstorm; wind howling; wind in trees
hail; waves on a beach; stream flowing; waterfall; river; water dripping; underwater bubbles
fire crackling; leaves rustling; footsteps in snow; footsteps on gravel; footsteps on wood
branch snapping; earthquake rumble; avalanche; cave ambience; forest ambience; jungle at night

man speaking; woman speaking; child speaking; crowd talking; crowd cheering; applause; laughing
baby crying; baby laughing; children playing; screaming; shouting; whispering; singing; choir
coughing; sneezing; snoring; breathing; gasping; yawning; hiccup; burping; heartbeat; kissing
whistling; humming; clapping; finger snapping; chewing; drinking; gargling; crying; sighing
brushing teeth; footsteps running; crowd in a stadium; restaurant ambience; radio voice; robot voice

door slamming; door creaking; door knocking; doorbell; sliding door; keys jingling; lock clicking
drawer opening; window closing; light switch; clock ticking; alarm clock; church bells; bell ringing
telephone ringing; mobile phone vibrating; typing on a keyboard; computer mouse click; typewriter
printer; camera shutter; cash register; coins dropping; paper rustling; page turning; paper tearing
writing with a pencil; scissors cutting; zipper; cloth rustling; velcro; plastic bag crinkling
vacuum cleaner; washing machine; hair dryer; electric razor; sewing machine; refrigerator hum
microwave oven beep; kettle boiling; frying pan sizzling; chopping vegetables; dishes clattering
pouring water; pouring a drink; opening a can; cork popping; glass clinking; glass breaking
cutlery; toilet flush; shower; water tap; sink draining; toothbrush; spray can; balloon popping

hammering; sawing wood; drill; chainsaw; jackhammer; circular saw; lawn mower; metal clanging
metal scraping; blacksmith; chains rattling; wood creaking; rope creaking; ratchet; air compressor
steam hissing; machine room hum; conveyor belt; factory ambience; generator; electric sparks
electric hum; air conditioner; fan; ventilation

car engine starting; car passing by; car horn; car door; tyres screeching; car crash; traffic
truck; bus; motorcycle; bicycle bell; train passing; train whistle; subway; tram; railway crossing
helicopter; propeller aeroplane; jet flying over; rocket launch; boat engine; ship horn; rowing boat
ambulance siren; police siren; fire engine siren; reversing beeps; alarm; smoke detector; buzzer

gunshot; machine gun; explosion; cannon; fireworks; bullet ricochet; sword clash; punch; whip crack
arrow; body fall; bones cracking; debris falling; rubble; stone dropping; splash; thud; impact
whoosh; swish; boing; pop; click; beep; power up; laser gun; spaceship hum; magic sparkle
game coin; error sound; notification sound; radio static; tape rewinding; vinyl crackle; glitch
riser; deep drone; sub bass drop; scary ambience; monster growl; ghostly voice; teleport; sonar ping

piano; acoustic guitar; electric guitar; bass guitar; violin; cello; harp; flute; clarinet; saxophone
trumpet; trombone; french horn; organ; accordion; harmonica; banjo; bagpipes; sitar; synthesizer
drum kit; snare drum; kick drum; hi-hat; cymbal crash; tambourine; bongos; gong; xylophone; music box
wind chimes; triangle; maracas; orchestra; string section; jazz band; rock music; techno music
hip hop beat; ambient music; children's song; marching band; drum roll; scratching records; theremin
white noise; sine tone; silence with room tone
"""


def vocabulary() -> list[str]:
    """Return the queries, each once."""
    texts = (text.strip() for line in _TEXTS.splitlines() for text in line.split(";"))
    return list(dict.fromkeys(text for text in texts if text))
