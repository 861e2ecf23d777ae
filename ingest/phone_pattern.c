/* What comes after a piece of pattern is kept as a chain of frames on the C stack (continuations):
 * a group matches its body and then resumes whoever called it. Depth is bounded by the pattern's
 * nesting times the subject's length. */
#include "phone_pattern.h"

#include "text.h"

struct piece {
    const char *at;
    const char *end;
};

struct matcher {
    const char *pattern;
    struct slice digits;
    bool whole;
    struct phone_match *out;
};

/* "Then go on here": the rest of a sequence behind a group that may repeat. */
struct frame {
    const struct frame *up;
    struct piece body; /* of the group, for the next repetition */
    unsigned count, least, most;
    unsigned group; /* 0: not captured */
    size_t start;
    struct piece rest;
};

/* Up to the end of the piece or of the alternative: groups are taken whole, so a bar met on the way
 * is one of its own level. */
static bool match_sequence(struct matcher *m, struct piece p, size_t at, const struct frame *next);

static const char *skip_atom(const char *p)
{
    if (*p == '\\') {
        return p + 2;
    }
    if (*p == '[') {
        while (*p != ']') {
            p++;
        }
        return p + 1;
    }
    if (*p != '(') {
        return p + 1;
    }
    unsigned depth = 0;
    do {
        depth += *p == '(';
        depth -= *p == ')';
        p++;
    } while (depth > 0);
    return p;
}

/* Reads ?, {n} or {n,m}; returns what follows. */
static const char *read_repeat(const char *p, const char *end, unsigned *least, unsigned *most)
{
    *least = *most = 1;
    if (p < end && *p == '?') {
        *least = 0;
        return p + 1;
    }
    if (p == end || *p != '{') {
        return p;
    }
    unsigned value = 0;
    bool is_range = false;
    for (p++; *p != '}'; p++) {
        if (*p == ',') {
            is_range = true;
            *least = value;
            value = 0;
        } else {
            value = value * 10 + (unsigned)(*p - '0');
        }
    }
    *most = value;
    if (!is_range) {
        *least = value;
    }
    return p + 1;
}

static bool class_has(const char *p, char digit)
{
    if (*p != '[') {
        return *p == digit;
    }
    for (p++; *p != ']'; p++) {
        if (p[1] == '-' && p[2] != ']') {
            if (digit >= p[0] && digit <= p[2]) {
                return true;
            }
            p += 2;
        } else if (*p == digit) {
            return true;
        }
    }
    return false;
}

/* How many digits from `at` on the atom takes, at most `most`. */
static unsigned count_digits(const struct matcher *m, const char *atom, size_t at, unsigned most)
{
    size_t left = m->digits.length - at;
    unsigned room = left < most ? (unsigned)left : most;
    if (*atom == '\\') {
        return room; /* \d: there is nothing but digits */
    }
    unsigned count = 0;
    while (count < room && class_has(atom, m->digits.data[at + count])) {
        count++;
    }
    return count;
}

static bool match_alternatives(struct matcher *m, struct piece p, size_t at,
                               const struct frame *next)
{
    while (!match_sequence(m, p, at, next)) {
        while (p.at < p.end && *p.at != '|') {
            p.at = skip_atom(p.at);
        }
        if (p.at == p.end) {
            return false;
        }
        p.at++;
    }
    return true;
}

/* One more repetition of the group if it may have one, otherwise (or failing that) what comes after
 * it. */
static bool match_group(struct matcher *m, struct frame *frame, size_t at)
{
    if (frame->count < frame->most) {
        struct frame again = *frame;
        again.count++;
        again.start = at;
        if (match_alternatives(m, frame->body, at, &again)) {
            return true;
        }
    }
    return frame->count >= frame->least && match_sequence(m, frame->rest, at, frame->up);
}

static bool resume(struct matcher *m, const struct frame *next, size_t at)
{
    if (next == NULL) {
        if (m->whole && at != m->digits.length) {
            return false;
        }
        m->out->length = at;
        return true;
    }
    struct slice before = m->out->groups[next->group];
    if (next->group > 0) {
        m->out->groups[next->group] = slice_of(m->digits.data + next->start, at - next->start);
    }
    struct frame copy = *next;
    if (match_group(m, &copy, at)) {
        return true;
    }
    m->out->groups[next->group] = before;
    return false;
}

static unsigned group_number(const char *pattern_start, const char *at)
{
    unsigned number = 1;
    for (const char *p = pattern_start; p < at; p++) {
        number += *p == '(' && p[1] != '?';
    }
    return number;
}

/* p is at the group's bracket, `end` behind the closing one; the frame knows what follows. */
static bool enter_group(struct matcher *m, struct piece p, const char *end, struct frame frame,
                        size_t at)
{
    bool captured = p.at[1] != '?';
    unsigned group = captured ? group_number(m->pattern, p.at) : 0;
    frame.body = (struct piece){p.at + (captured ? 1 : 3), end - 1};
    frame.group = group < PHONE_GROUP_MAX ? group : 0;
    return match_group(m, &frame, at);
}

static bool match_sequence(struct matcher *m, struct piece p, size_t at, const struct frame *next)
{
    while (p.at < p.end && *p.at != '|') {
        if (*p.at == '$') {
            if (at != m->digits.length) {
                return false;
            }
            p.at++;
            continue;
        }
        unsigned least, most;
        const char *atom_end = skip_atom(p.at);
        struct piece rest = {read_repeat(atom_end, p.end, &least, &most), p.end};
        if (*p.at == '(') {
            struct frame frame = {.up = next, .least = least, .most = most, .rest = rest};
            return enter_group(m, p, atom_end, frame, at);
        }
        unsigned count = count_digits(m, p.at, at, most);
        for (; count > least; count--) {
            if (match_sequence(m, rest, at + count, next)) {
                return true;
            }
        }
        if (count < least) {
            return false;
        }
        /* The fewest it may take, often the only number. Nothing is left to try again here, so this
         * goes on without a call. */
        at += least;
        p = rest;
    }
    return resume(m, next, at);
}

bool phone_pattern_match(const char *pattern, struct slice digits, bool whole,
                         struct phone_match *out)
{
    *out = (struct phone_match){0};
    struct matcher m = {pattern, digits, whole, out};
    return match_alternatives(&m, (struct piece){pattern, pattern + strlen(pattern)}, 0, NULL);
}
