/* When everybody does what: an event per record, in the order the records are sent. */
#include <string.h>

#include "household.h"

enum { LISTED_SECONDS = LISTED_DAYS * 86400 };

static const uint8_t busy_hours[] = {7,  8,  8,  9,  10, 11, 12, 12, 13, 14, 15, 16,
                                     17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 22, 23};

static uint32_t pick_time(struct prng *prng, uint32_t joined_day)
{
    uint32_t day = joined_day + below(prng, LISTED_DAYS - joined_day);
    uint32_t hour =
        chance(prng, 900) ? busy_hours[below(prng, ARRAY_COUNT(busy_hours))] : below(prng, 24);
    return day * 86400 + hour * 3600 + below(prng, 3600);
}

static void append_sorted(struct household *household, struct event event)
{
    int at = household->event_count++;
    for (; at > 0 && household->events[at - 1].at_seconds > event.at_seconds; at--) {
        household->events[at] = household->events[at - 1];
    }
    household->events[at] = event;
}

static void plan_person(struct household *household, uint8_t place, struct prng *prng)
{
    const struct person *person = &household->persons[place];
    uint32_t records =
        1 + person->device_count + skewed(prng, skewed(prng, PERSON_RECORDS_MAX - DEVICES_MAX) + 1);
    uint32_t joined_day = below(prng, LISTED_DAYS - 30);
    for (uint8_t i = 0; i < records; i++) {
        /* Each device is used at least once; behind that anything happens. */
        uint8_t device =
            (uint8_t)(i < person->device_count ? i : below(prng, person->device_count));
        const struct device *used = &person->devices[device];
        uint32_t roll = below(prng, 100);
        uint8_t kind = (uint8_t)(i < person->device_count || roll < 62 ? EVENT_WEB
                                 : roll < 92                           ? EVENT_CRM
                                                                       : EVENT_STORE);
        if (kind == EVENT_WEB && used->mobile && chance(prng, 600)) {
            kind = EVENT_APP;
        }
        bool sign_in = kind <= EVENT_APP ? !used->anonymous && chance(prng, 450) : true;
        append_sorted(household, (struct event){pick_time(prng, joined_day), place, i, kind, device,
                                                sign_in, false});
    }
}

/* The stores are in North America, where a number is read the same however it is typed. */
static bool shops(const struct person *person)
{
    return person->phone.number != 0 &&
           demo_countries[demo_cities[person->phone.city].country].calling_code[0] == '1';
}

/* Makes true what population.h says: a device that is not anonymous was signed in on at least once,
 * and a purchase known by its telephone number alone follows a record that has the number and the
 * e-mail. */
static void link_up(struct household *household)
{
    bool signed_in[PERSONS_MAX][DEVICES_MAX] = {{false}};
    bool phone_known[PERSONS_MAX] = {false};
    for (int i = 0; i < household->event_count; i++) {
        struct event *event = &household->events[i];
        const struct person *person = &household->persons[event->person];
        if (event->kind == EVENT_STORE && (!phone_known[event->person] || !shops(person))) {
            event->kind = EVENT_CRM;
        }
        if (event->kind == EVENT_CRM) {
            event->own_phone = !phone_known[event->person];
            phone_known[event->person] = true;
        } else if (event->kind <= EVENT_APP && event->sign_in) {
            signed_in[event->person][event->device] = true;
        }
    }
    for (int i = household->event_count - 1; i >= 0; i--) {
        struct event *event = &household->events[i];
        bool *done = &signed_in[event->person][event->device];
        if (event->kind <= EVENT_APP && !*done &&
            !household->persons[event->person].devices[event->device].anonymous) {
            event->sign_in = true;
            *done = true;
        }
    }
}

/* At the family computer somebody who is not signed in is taken for whoever signed in last. So they
 * sign in. */
static void take_turns(struct household *household)
{
    int owner = -1;
    for (int i = 0; i < household->event_count; i++) {
        struct event *event = &household->events[i];
        if (event->kind == EVENT_WEB &&
            household->persons[event->person].devices[event->device].shared) {
            event->sign_in = event->sign_in || owner != event->person;
            owner = event->person;
        }
    }
}

static bool may_move(const struct household *household, const struct event *event)
{
    return event->kind != EVENT_WEB ||
           !household->persons[event->person].devices[event->device].shared;
}

/* Some records come late, behind newer ones; some are sent twice because an answer was lost. */
static void disturb(struct household *household, struct prng *prng)
{
    int count = household->event_count;
    struct event *events = household->events;
    for (int i = 0; i + 1 < count; i++) {
        if (chance(prng, 20) && may_move(household, &events[i])) {
            int to = i + 1 + (int)below(prng, 5);
            to = to < count ? to : count - 1;
            struct event late = events[i];
            memmove(&events[i], &events[i + 1], (size_t)(to - i) * sizeof events[0]);
            events[to] = late;
        }
    }
    for (int i = 0; i < count && count < EVENTS_MAX; i++) {
        if (chance(prng, 15)) {
            int to = i + 1 + (int)below(prng, 3);
            to = to < count ? to : count;
            struct event again = events[i];
            memmove(&events[to + 1], &events[to], (size_t)(count - to) * sizeof events[0]);
            events[to] = again;
            count++;
        }
    }
    household->event_count = (uint16_t)count;
}

void household_schedule(struct household *household, struct prng *prng)
{
    household->event_count = 0;
    household->next_event = 0;
    for (uint8_t i = 0; i < household->person_count; i++) {
        plan_person(household, i, prng);
    }
    link_up(household);
    take_turns(household);
    disturb(household, prng);
}
