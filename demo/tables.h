/* tables.h: what the made-up people are made of. Written for this project from general knowledge.
 * Threading: any (constant). */
#ifndef KINDRED_DEMO_TABLES_H
#define KINDRED_DEMO_TABLES_H

#include <stdint.h>

enum culture {
    CULTURE_ENGLISH,
    CULTURE_SPANISH,
    CULTURE_FRENCH,
    CULTURE_GERMAN,
    CULTURE_ITALIAN,
    CULTURE_PORTUGUESE,
    CULTURE_DUTCH,
    CULTURE_NORDIC,
    CULTURE_POLISH,
    CULTURE_INDIAN,
    CULTURE_CHINESE,
    CULTURE_JAPANESE,
    CULTURE_KOREAN,
    CULTURE_ARABIC,
    CULTURE_AFRICAN,
    CULTURE_COUNT
};

/* Lists of words, NULL at the end; the frequent ones first. */
extern const char *const *const demo_women[CULTURE_COUNT];
extern const char *const *const demo_men[CULTURE_COUNT];
extern const char *const *const demo_surnames[CULTURE_COUNT];

enum street_style { STREET_NUMBER_FIRST, STREET_NUMBER_LAST };
enum postal_style {
    POSTAL_FOUR,        /* 2000 */
    POSTAL_FIVE,        /* 10001 */
    POSTAL_SIX,         /* 400001 */
    POSTAL_CANADA,      /* M5V 2T6 */
    POSTAL_BRITAIN,     /* SW1 4AB */
    POSTAL_IRELAND,     /* D02 X285 */
    POSTAL_NETHERLANDS, /* 1012 AB */
    POSTAL_BRAZIL,      /* 01310-100 */
    POSTAL_JAPAN,       /* 100-0001 */
    POSTAL_POLAND       /* 00-950 */
};

struct demo_country {
    const char *names[4]; /* as people type it; the first most often, NULL behind the last */
    const char *calling_code;
    const char *trunk;            /* what a call inside the country begins with */
    uint32_t weight;              /* how many of a thousand households */
    uint8_t share[CULTURE_COUNT]; /* of a hundred households */
    uint8_t street_style;
    uint8_t postal_style;
    const char *const *streets;
};

/* A city's telephone numbers are area + (first + n) written with `digits` digits. */
struct demo_city {
    uint8_t country;
    uint8_t weight;
    const char *name;
    const char *state;
    const char *state_code; /* NULL: people write the name */
    const char *postal;     /* how its postal codes begin */
    const char *area;
    uint32_t first;
    uint8_t digits;
};

extern const struct demo_country demo_countries[];
extern const uint32_t demo_country_count;
/* a country's cities lie together, countries in order */
extern const struct demo_city demo_cities[];
extern const uint32_t demo_city_count;

/* A topic's phrases, popular ones first. Weights: [0] for people under 35, [1] for the others. */
struct demo_topic {
    const char *name;
    uint8_t women[2];
    uint8_t men[2];
    const char *const *phrases;
};
extern const struct demo_topic demo_topics[];
extern const uint32_t demo_topic_count;

/* What people write into the field without liking anything: "n/a", "idk". NULL at the end. */
extern const char *const demo_non_interests[];

#endif
