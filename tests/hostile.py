"""Archives that must be refused, each with the reason code it deserves.

`HOSTILE` maps a name to a `Hostile`; `hostile.write(path, track)` writes the archive, made so that
everything but the one fault fits the track.
"""

from tests.hostile_arrays import HOSTILE_ARRAYS
from tests.hostile_zips import HOSTILE_ZIPS

HOSTILE = HOSTILE_ARRAYS | HOSTILE_ZIPS
