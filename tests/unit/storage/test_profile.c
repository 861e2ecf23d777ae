/* Tries to break the packed profile: what is packed and read again must be what was there, at the
 * edges of every type; one profile must have one blob whatever the order and waste of its origins;
 * no damaged byte may pass profile_validate and then read as something that does not pack to the
 * same bytes; out of memory or of room, nothing may be left in the buffer. */
#include "unit/test.h"

#include "base/bytes.h"
#include "profile_format.h"
#include "profile_sample.h"
#include "storage/profile.h"
#include "unit/failing_memory.h"
#include "unit/seed.h"

static uint64_t seed;

enum { ARENA_MAX = 1 << 28, BUFFER_MAX = 1 << 27 };

static int value_compare(const struct profile_value *a, const struct profile_value *b)
{
    if (a->kind != b->kind) {
        return 1;
    }
    switch (a->kind) {
    case PROFILE_NULL: return 0;
    case PROFILE_BOOL: return a->boolean != b->boolean;
    case PROFILE_INTEGER: return a->integer != b->integer;
    case PROFILE_NUMBER: return memcmp(&a->number, &b->number, sizeof a->number); /* -0.0 too */
    case PROFILE_TEXT: return !slice_equal(a->text, b->text);
    case PROFILE_CATEGORY: return a->category_id != b->category_id;
    }
    return 1;
}

static bool same_origin(const struct profile *a, uint32_t in_a, const struct profile *b,
                        uint32_t in_b)
{
    return in_a < a->origin_count && in_b < b->origin_count &&
           profile_origin_order(&a->origins[in_a], &b->origins[in_b]) == 0;
}

/* The same but for origins that nothing refers to, and their order. */
static void expect_same(const struct profile *a, const struct profile *b)
{
    REQUIRE(a->number == b->number);
    REQUIRE(a->created_at_us == b->created_at_us && a->updated_at_us == b->updated_at_us);
    REQUIRE(a->created_sequence == b->created_sequence && a->history_chunks == b->history_chunks);
    REQUIRE(a->identifier_count == b->identifier_count && a->field_count == b->field_count);
    REQUIRE(a->item_count == b->item_count && a->interest_count == b->interest_count);
    REQUIRE(a->sequence_count == b->sequence_count && a->absorbed_count == b->absorbed_count);
    for (size_t i = 0; i < a->identifier_count; i++) {
        REQUIRE(a->identifiers[i].type == b->identifiers[i].type);
        REQUIRE(a->identifiers[i].moved == b->identifiers[i].moved);
        REQUIRE(slice_equal(a->identifiers[i].value, b->identifiers[i].value));
        REQUIRE(same_origin(a, a->identifiers[i].origin, b, b->identifiers[i].origin));
    }
    for (size_t i = 0; i < a->field_count; i++) {
        REQUIRE(a->fields[i].name_id == b->fields[i].name_id);
        REQUIRE(value_compare(&a->fields[i].value, &b->fields[i].value) == 0);
        REQUIRE(same_origin(a, a->fields[i].origin, b, b->fields[i].origin));
    }
    for (size_t i = 0; i < a->item_count; i++) {
        REQUIRE(a->items[i].name_id == b->items[i].name_id);
        REQUIRE(slice_equal(a->items[i].text, b->items[i].text));
        REQUIRE(same_origin(a, a->items[i].origin, b, b->items[i].origin));
    }
    for (size_t i = 0; i < a->interest_count; i++) {
        REQUIRE(a->interests[i].phrase_id == b->interests[i].phrase_id);
        REQUIRE(same_origin(a, a->interests[i].origin, b, b->interests[i].origin));
    }
    for (size_t i = 0; i < a->sequence_count; i++) {
        REQUIRE(a->sequences[i] == b->sequences[i]);
    }
    for (size_t i = 0; i < a->absorbed_count; i++) {
        REQUIRE(a->absorbed[i].number == b->absorbed[i].number);
        REQUIRE(a->absorbed[i].created_sequence == b->absorbed[i].created_sequence);
    }
}

static bool model_has_identifier(const struct profile *profile, uint8_t type, struct slice value)
{
    for (size_t i = 0; i < profile->identifier_count; i++) {
        if (profile->identifiers[i].type == type && !profile->identifiers[i].moved &&
            slice_equal(profile->identifiers[i].value, value)) {
            return true;
        }
    }
    return false;
}

/* The first that is there and has not moved. */
static struct slice first_identifier(const struct profile *profile, uint8_t type)
{
    for (size_t i = 0; i < profile->identifier_count; i++) {
        if (profile->identifiers[i].type == type && !profile->identifiers[i].moved) {
            return profile->identifiers[i].value;
        }
    }
    return SLICE_NONE;
}

/* What the shortcuts of the lookup path see is what the whole profile holds. */
static void expect_glance(const struct profile *profile, const void *blob)
{
    struct profile_view view;
    struct profile_glance glance;
    profile_view_open(blob, &view);
    profile_glance(&view, &glance);
    struct slice cookie = first_identifier(profile, IDENTIFIER_COOKIE);
    struct slice email = first_identifier(profile, IDENTIFIER_EMAIL);
    EXPECT(slice_equal(glance.cookie, cookie) &&
           (glance.cookie.data == NULL) == (cookie.data == NULL));
    EXPECT(slice_equal(glance.email, email) && (glance.email.data == NULL) == (email.data == NULL));
    for (uint32_t id = 0; id < PROFILE_GLANCE_FIELDS; id++) {
        struct profile_value value = {.kind = PROFILE_NULL};
        for (size_t i = 0; i < profile->field_count; i++) {
            value = profile->fields[i].name_id == id ? profile->fields[i].value : value;
        }
        EXPECT(value_compare(&glance.fields[id], &value) == 0, " for field %u", id);
    }
    struct profile_cursor cursor = profile_interests(&view);
    uint32_t ids[3];
    size_t seen = 0;
    for (uint32_t some; (some = profile_interest_ids(&cursor, ids, ARRAY_COUNT(ids))) > 0;
         seen += some) {
        for (uint32_t i = 0; i < some; i++) {
            REQUIRE(seen + i < profile->interest_count);
            EXPECT(ids[i] == profile->interests[seen + i].phrase_id);
        }
    }
    EXPECT(seen == profile->interest_count);
}

/* Packs, checks, reads, compares, packs again. Leaves the blob in `out`, which is cleared first. */
static void round_trip(const struct profile *profile, struct arena *arena, struct buffer *out)
{
    buffer_clear(out);
    profile_pack(profile, out);
    REQUIRE(!out->failed);
    REQUIRE(profile_blob_bytes(out->data) == out->length);
    REQUIRE(profile_blob_number(out->data) == profile->number);
    struct error error = {0};
    err e = profile_validate(buffer_slice(out), &error);
    REQUIRE(e == ERR_OK, ": %s", error.message);

    struct profile again;
    REQUIRE(profile_unpack(arena, out->data, 0, &again) == ERR_OK);
    expect_same(profile, &again);
    expect_glance(&again, out->data);
    for (size_t i = 1; i < again.origin_count; i++) {
        EXPECT(profile_origin_order(&again.origins[i - 1], &again.origins[i]) < 0);
    }
    for (size_t i = 0; i < profile->identifier_count; i++) {
        struct slice value = profile->identifiers[i].value;
        for (uint8_t type = 0; type < IDENTIFIER_TYPE_MAX; type++) {
            EXPECT(profile_has_identifier(out->data, type, value) ==
                   model_has_identifier(profile, type, value));
        }
    }
    EXPECT(!profile_has_identifier(out->data, 0, SLICE_LITERAL("nobody has this one")));

    struct buffer second;
    buffer_init(&second, BUFFER_MAX);
    profile_pack(&again, &second);
    EXPECT(slice_equal(buffer_slice(out), buffer_slice(&second)));
    buffer_deinit(&second);
}

static void random_profiles_come_back(void)
{
    struct prng prng;
    prng_seed(&prng, seed);
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct buffer out;
    buffer_init(&out, BUFFER_MAX);
    for (int i = 0; i < 3000; i++) {
        struct profile profile = random_profile(&prng, &arena);
        round_trip(&profile, &arena, &out);
        arena_reset(&arena);
    }
    buffer_deinit(&out);
    arena_deinit(&arena);
}

/* The stored format: if this fails, profiles written by a released version are no longer read, or
 * read as something else. Raise PROFILE_FORMAT_VERSION and keep the old reader instead of changing
 * the text below. */
static void sample_has_the_released_bytes(void)
{
    static const char released[] = "780000007b093d00406aa249254406000120"
                                   "033c0080dbb80207120306010301"
                                   "00166a6f686e2e736d697468406578616d706c652e636f6d"
                                   "020c2b3134313535353530313233"
                                   "0314646b3568327039733766336a386d316e34763078"
                                   "05b0ea01052805110244051202f093090517"
                                   "18a805a8c002"
                                   "000010"
                                   "00";
    struct buffer out;
    buffer_init(&out, BUFFER_MAX);
    profile_pack(sample_profile(), &out);
    char text[512] = "";
    for (size_t i = 0; i < out.length && i < 250; i++) {
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)out.data[i]);
    }
    EXPECT(strcmp(text, released) == 0, ": %s", text);
    EXPECT(out.length <= 140, ": %zu bytes", out.length);
    printf("     the sample takes %zu bytes\n", out.length);
    buffer_deinit(&out);
}

static void sample_is_read_in_place(void)
{
    struct buffer out;
    buffer_init(&out, BUFFER_MAX);
    const struct profile *sample = sample_profile();
    profile_pack(sample, &out);
    struct profile_view view;
    profile_view_open(out.data, &view);
    EXPECT(view.blob == out.data && view.number == 4000123);
    EXPECT(view.created_at_us == sample->created_at_us &&
           view.updated_at_us == sample->updated_at_us);
    EXPECT(view.created_sequence == 5123456 && view.history_chunks == 0);
    EXPECT(view.identifier_count == 3 && view.field_count == 7 && view.item_count == 0);
    EXPECT(view.interest_count == 3 && view.origin_count == 1 && view.sequence_count == 1);
    EXPECT(view.absorbed_count == 0);

    struct profile_cursor cursor = profile_identifiers(&view);
    struct profile_identifier identifier;
    REQUIRE(profile_identifier_next(&cursor, &identifier));
    EXPECT(identifier.type == IDENTIFIER_EMAIL &&
           slice_equal_cstr(identifier.value, "john.smith@example.com"));
    cursor = profile_fields(&view);
    struct profile_field field;
    size_t fields = 0;
    while (profile_field_next(&cursor, &field)) {
        EXPECT(field.name_id == sample->fields[fields].name_id);
        EXPECT(value_compare(&field.value, &sample->fields[fields].value) == 0);
        fields++;
    }
    EXPECT(fields == 7);
    EXPECT(!profile_field_next(&cursor, &field)); /* stays at the end */
    cursor = profile_origins(&view);
    struct profile_origin origin;
    REQUIRE(profile_origin_next(&cursor, &origin));
    EXPECT(profile_origin_order(&origin, &sample->origins[0]) == 0);
    EXPECT(!profile_origin_next(&cursor, &origin));
    buffer_deinit(&out);
}

/* A merge of two people leaves origins in any order, twice, and some that lost all they had. */
static void origins_are_put_in_order(void)
{
    struct profile profile = *sample_profile();
    const struct profile_origin merged[] = {
        {90, 900, 16}, /* nothing refers to it */
        {70, 700, 16}, {20, 200, 17}, {70, 700, 16}, {20, 200, 16}, {20, -5, 99},
    };
    struct profile_origin origins[ARRAY_COUNT(merged)];
    memcpy(origins, merged, sizeof merged);
    struct profile_identifier identifiers[3];
    memcpy(identifiers, profile.identifiers, sizeof identifiers);
    identifiers[0].origin = 1;
    identifiers[1].origin = 3;
    identifiers[2].origin = 2;
    struct profile_field fields[7];
    memcpy(fields, profile.fields, sizeof fields);
    for (size_t i = 0; i < 7; i++) {
        fields[i].origin = i % 2 ? 4 : 5;
    }
    struct profile_interest interests[3] = {{1, 1}, {2, 3}, {3, 5}};
    profile.origins = origins;
    profile.origin_count = ARRAY_COUNT(merged);
    profile.identifiers = identifiers;
    profile.fields = fields;
    profile.interests = interests;

    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct buffer out;
    buffer_init(&out, BUFFER_MAX);
    round_trip(&profile, &arena, &out);
    struct profile again;
    REQUIRE(profile_unpack(&arena, out.data, 0, &again) == ERR_OK);
    REQUIRE(again.origin_count == 4);
    EXPECT(again.origins[0].source_id == 99 && again.origins[1].source_id == 16);
    EXPECT(again.origins[2].source_id == 17 && again.origins[3].sequence == 70);
    EXPECT(again.identifiers[0].origin == 3 && again.identifiers[1].origin == 3);
    EXPECT(again.identifiers[2].origin == 2 && again.fields[0].origin == 0 &&
           again.fields[1].origin == 1);

    /* The same profile with its origins turned round packs to the same bytes. */
    struct buffer turned;
    buffer_init(&turned, BUFFER_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(merged); i++) {
        origins[i] = merged[ARRAY_COUNT(merged) - 1 - i];
    }
    for (size_t i = 0; i < 3; i++) {
        identifiers[i].origin = 5 - identifiers[i].origin;
        interests[i].origin = 5 - interests[i].origin;
    }
    for (size_t i = 0; i < 7; i++) {
        fields[i].origin = 5 - fields[i].origin;
    }
    profile_pack(&profile, &turned);
    EXPECT(slice_equal(buffer_slice(&out), buffer_slice(&turned)));
    buffer_deinit(&turned);
    buffer_deinit(&out);
    arena_deinit(&arena);
}

/* A heavy profile: more origins than fit on the stacks of pack and validate, unsorted. */
static struct profile heavy_profile(struct arena *arena, uint32_t origin_count)
{
    struct profile profile = *sample_profile();
    profile.origins = random_array(arena, origin_count, sizeof *profile.origins);
    profile.interests = random_array(arena, origin_count, sizeof *profile.interests);
    for (uint32_t i = 0; i < origin_count; i++) {
        profile.origins[i] = (struct profile_origin){(i * UINT64_C(7919)) % origin_count, i, 16};
        profile.interests[i] = (struct profile_interest){i, i};
    }
    profile.origin_count = profile.interest_count = origin_count;
    return profile;
}

static void many_origins(void)
{
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct buffer out;
    buffer_init(&out, BUFFER_MAX);
    const uint32_t counts[] = {63, 64, 65, 1023, 1024, 1025, 20000};
    for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
        struct profile profile = heavy_profile(&arena, counts[i]);
        round_trip(&profile, &arena, &out);
    }
    buffer_deinit(&out);
    arena_deinit(&arena);
}

/* Whatever happened to the bytes: refused, or exactly what packing would have written. */
static void expect_refused_or_canonical(struct slice bytes, struct arena *arena,
                                        struct buffer *again)
{
    struct error error = {0};
    if (profile_validate(bytes, &error) != ERR_OK) {
        EXPECT(error.err == ERR_CORRUPT && error.message[0] != '\0' &&
               error.position <= bytes.length);
        return;
    }
    struct profile profile;
    REQUIRE(profile_unpack(arena, bytes.data, 0, &profile) == ERR_OK);
    buffer_clear(again);
    profile_pack(&profile, again);
    EXPECT(slice_equal(bytes, buffer_slice(again)));
}

static void every_damaged_byte(void)
{
    struct prng prng;
    prng_seed(&prng, seed + 1);
    struct arena arena, scratch;
    arena_init(&arena, ARENA_MAX);
    arena_init(&scratch, ARENA_MAX);
    struct buffer out, again;
    buffer_init(&out, BUFFER_MAX);
    buffer_init(&again, BUFFER_MAX);
    for (int round = 0; round < 12; round++) {
        buffer_clear(&out);
        struct profile profile = round == 0 ? *sample_profile() : random_profile(&prng, &arena);
        profile_pack(&profile, &out);
        if (out.length > 600) {
            continue;
        }
        /* An allocation of exactly the size, so that AddressSanitizer sees a read past the end. */
        for (size_t length = 0; length <= out.length; length++) {
            char *copy = malloc(length ? length : 1);
            REQUIRE(copy != NULL);
            memcpy(copy, out.data, length);
            EXPECT((profile_validate(slice_of(copy, length), NULL) == ERR_OK) ==
                   (length == out.length));
            if (length >= 4) { /* cut off, but with the length made right */
                store_u32(copy, (uint32_t)length);
                expect_refused_or_canonical(slice_of(copy, length), &scratch, &again);
            }
            free(copy);
        }
        char *copy = malloc(out.length);
        REQUIRE(copy != NULL);
        memcpy(copy, out.data, out.length);
        for (size_t at = 0; at < out.length; at++) {
            for (unsigned flip = 1; flip < 256; flip++) {
                copy[at] = (char)(out.data[at] ^ (char)flip);
                expect_refused_or_canonical(slice_of(copy, out.length), &scratch, &again);
                arena_reset(&scratch);
            }
            copy[at] = out.data[at];
        }
        free(copy);
        arena_reset(&arena);
    }
    buffer_deinit(&again);
    buffer_deinit(&out);
    arena_deinit(&scratch);
    arena_deinit(&arena);
}

/* One damage for each rule of "a blob is valid if and only if": offsets are those of the golden
 * bytes. */
static void each_rule_is_checked(void)
{
    static const struct {
        size_t at;
        unsigned char byte;
        const char *rule;
    } damages[] = {
        {0, 0x10, "length"},           {4, 0, "number 0 (with 5..7)"}, {16, 2, "version"},
        {16, 0x81, "unknown flag"},    {17, 12, "head too short"},     {17, 255, "head too long"},
        {16, 0x11, "items announced"},
    };
    struct buffer out;
    buffer_init(&out, BUFFER_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(damages); i++) {
        buffer_clear(&out);
        profile_pack(sample_profile(), &out);
        out.data[damages[i].at] = (char)damages[i].byte;
        if (damages[i].at == 4) {
            memset(out.data + 4, 0, 4);
        }
        struct error error = {0};
        EXPECT(profile_validate(buffer_slice(&out), &error) == ERR_CORRUPT, ": %s",
               damages[i].rule);
        EXPECT(strcmp(error.code, "profile_corrupt") == 0);
    }
    /* Texts that are not UTF-8, in each place that has one. */
    struct profile profile = *sample_profile();
    struct profile_identifier identifiers[3];
    memcpy(identifiers, profile.identifiers, sizeof identifiers);
    struct profile_item item = {20, 0, SLICE_LITERAL("fine")};
    struct profile_field fields[1] = {
        {FIELD_STREET, 0, {.kind = PROFILE_TEXT, .text = SLICE_LITERAL("fine")}}};
    profile.identifiers = identifiers;
    profile.items = &item;
    profile.item_count = 1;
    profile.fields = fields;
    profile.field_count = 1;
    struct slice *texts[] = {&identifiers[2].value, &item.text, &fields[0].value.text};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct slice fine = *texts[i];
        *texts[i] = SLICE_LITERAL("caf\xE9");
        buffer_clear(&out);
        profile_pack(&profile, &out);
        EXPECT(profile_validate(buffer_slice(&out), NULL) == ERR_CORRUPT);
        *texts[i] = fine;
    }
    EXPECT(profile_validate(SLICE_NONE, NULL) == ERR_CORRUPT);
    buffer_deinit(&out);
}

static void spare_room_is_there(void)
{
    struct buffer out;
    buffer_init(&out, BUFFER_MAX);
    profile_pack(sample_profile(), &out);
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct profile profile;
    REQUIRE(profile_unpack(&arena, out.data, 5, &profile) == ERR_OK);
    for (size_t i = 0; i < 5; i++) {
        profile.origins[profile.origin_count++] =
            (struct profile_origin){6000000 + i, (int64_t)i, 16};
        uint32_t origin = (uint32_t)(profile.origin_count - 1);
        profile.identifiers[profile.identifier_count++] =
            (struct profile_identifier){IDENTIFIER_COOKIE, false, origin, SLICE_LITERAL("c")};
        profile.fields[profile.field_count++] = (struct profile_field){
            100 + (uint32_t)i, origin, {.kind = PROFILE_BOOL, .boolean = true}};
        profile.items[profile.item_count++] =
            (struct profile_item){50, origin, SLICE_LITERAL("vip")};
        profile.interests[profile.interest_count++] = (struct profile_interest){7, origin};
        profile.sequences[profile.sequence_count++] = 6000000 + i;
        profile.absorbed[profile.absorbed_count++] = (struct profile_absorbed){9, i};
    }
    struct buffer changed;
    buffer_init(&changed, BUFFER_MAX);
    round_trip(&profile, &arena, &changed);
    /* Nothing of one array lies in another one's spare room. */
    EXPECT(profile.identifiers[0].type == IDENTIFIER_EMAIL &&
           profile.fields[0].value.category_id == SAMPLE_CITY);
    EXPECT(profile.interests[2].phrase_id == 20500 && profile.sequences[0] == 5123456);
    buffer_deinit(&changed);
    buffer_deinit(&out);
    arena_deinit(&arena);
}

/* Blobs may lie anywhere, one behind the other. */
static void packs_behind_what_is_there(void)
{
    struct buffer out, alone;
    buffer_init(&out, BUFFER_MAX);
    buffer_init(&alone, BUFFER_MAX);
    profile_pack(sample_profile(), &alone);
    buffer_append_char(&out, 'x');
    for (size_t i = 0; i < 40; i++) {
        profile_pack(sample_profile(), &out);
    }
    REQUIRE(!out.failed && out.length == 1 + 40 * alone.length && out.data[0] == 'x');
    for (size_t i = 0; i < 40; i++) {
        EXPECT(memcmp(out.data + 1 + i * alone.length, alone.data, alone.length) == 0);
    }
    buffer_deinit(&alone);
    buffer_deinit(&out);
}

static void full_buffer_keeps_what_was_there(void)
{
    struct buffer whole;
    buffer_init(&whole, BUFFER_MAX);
    profile_pack(sample_profile(), &whole);
    for (size_t max = 1; max < whole.length; max++) {
        struct buffer out;
        buffer_init(&out, max);
        buffer_append_char(&out, 'x');
        profile_pack(sample_profile(), &out);
        EXPECT(out.failed && out.length == 1);
        buffer_deinit(&out);
    }
    /* Over PROFILE_BLOB_MAX although the buffer could take it. */
    char *text = malloc(PROFILE_BLOB_MAX);
    REQUIRE(text != NULL);
    memset(text, 'a', PROFILE_BLOB_MAX);
    struct profile_field field = {
        FIELD_STREET, 0, {.kind = PROFILE_TEXT, .text = {text, PROFILE_BLOB_MAX}}};
    struct profile profile = *sample_profile();
    profile.fields = &field;
    profile.field_count = 1;
    size_t head_and_rest = 0;
    for (size_t less = 0; less < 200; less++) {
        field.value.text.length = PROFILE_BLOB_MAX - less;
        buffer_clear(&whole);
        profile_pack(&profile, &whole);
        if (!whole.failed) {
            head_and_rest = less;
            break;
        }
        EXPECT(whole.length == 0);
    }
    EXPECT(head_and_rest > 0 && whole.length == PROFILE_BLOB_MAX, ": %zu", whole.length);
    EXPECT(profile_validate(buffer_slice(&whole), NULL) == ERR_OK);
    free(text);
    buffer_deinit(&whole);
}

static void memory_runs_out(void)
{
    struct arena model;
    arena_init(&model, ARENA_MAX);
    struct profile heavy = heavy_profile(&model, 3000);
    bool more = true;
    for (uint64_t n = 1; more; n++) {
        failing_memory_begin(n);
        struct buffer out;
        buffer_init(&out, BUFFER_MAX);
        profile_pack(&heavy, &out);
        bool failed = out.failed;
        EXPECT(!failed || out.length == 0);
        if (!failed) {
            struct error error = {0};
            err e = profile_validate(buffer_slice(&out), &error);
            EXPECT(e == ERR_OK || e == ERR_MEMORY, ": %s", error.message);
            struct arena arena;
            arena_init(&arena, ARENA_MAX);
            struct profile profile;
            err unpacked = profile_unpack(&arena, out.data, 1, &profile);
            EXPECT(unpacked == ERR_OK || unpacked == ERR_MEMORY);
            failed = e != ERR_OK || unpacked != ERR_OK;
            arena_deinit(&arena);
        }
        buffer_deinit(&out);
        struct failing_memory_end end = failing_memory_end();
        EXPECT(end.live_blocks == 0 && end.failed == failed);
        more = end.failed;
    }
    arena_deinit(&model);
}

/* ---- times (KINDRED_TEST_TIMES=1) ------------------------------------------------------------ */

static uint64_t walk(const void *blob)
{
    struct profile_view view;
    profile_view_open(blob, &view);
    uint64_t sum = view.number;
    struct profile_cursor cursor = profile_identifiers(&view);
    struct profile_identifier identifier;
    while (profile_identifier_next(&cursor, &identifier)) {
        sum += identifier.value.length + identifier.type;
    }
    cursor = profile_fields(&view);
    struct profile_field field;
    while (profile_field_next(&cursor, &field)) {
        sum += field.name_id + field.value.category_id;
    }
    cursor = profile_interests(&view);
    struct profile_interest interest;
    while (profile_interest_next(&cursor, &interest)) {
        sum += interest.phrase_id;
    }
    return sum;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { TIMED_ROUNDS = 9, TIMED_CALLS = 200000 };

static void print_median(const char *what, double ns[TIMED_ROUNDS])
{
    qsort(ns, TIMED_ROUNDS, sizeof *ns, compare_doubles);
    printf("     %-28s %6.1f ns (%.1f to %.1f)\n", what, ns[TIMED_ROUNDS / 2], ns[0],
           ns[TIMED_ROUNDS - 1]);
}

static void times(void)
{
    struct buffer blob, out;
    buffer_init(&blob, BUFFER_MAX);
    buffer_init(&out, BUFFER_MAX);
    profile_pack(sample_profile(), &blob);
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    double both[TIMED_ROUNDS], walked[TIMED_ROUNDS], looked_up[TIMED_ROUNDS], checked[TIMED_ROUNDS];
    uint64_t sum = 0;
    struct slice cookie = SLICE_LITERAL("dk5h2p9s7f3j8m1n4v0x");
    for (size_t round = 0; round < TIMED_ROUNDS; round++) {
        int64_t start = test_cpu_ns();
        for (int i = 0; i < TIMED_CALLS; i++) {
            struct profile profile;
            arena_reset(&arena);
            buffer_clear(&out);
            REQUIRE(profile_unpack(&arena, blob.data, 8, &profile) == ERR_OK);
            profile.updated_at_us++;
            profile_pack(&profile, &out);
        }
        int64_t packed = test_cpu_ns();
        for (int i = 0; i < TIMED_CALLS; i++) {
            sum += walk(blob.data);
        }
        int64_t seen = test_cpu_ns();
        for (int i = 0; i < TIMED_CALLS; i++) {
            sum += profile_has_identifier(blob.data, IDENTIFIER_COOKIE, cookie);
        }
        int64_t found = test_cpu_ns();
        for (int i = 0; i < TIMED_CALLS; i++) {
            sum += profile_validate(buffer_slice(&blob), NULL) == ERR_OK;
        }
        int64_t end = test_cpu_ns();
        both[round] = (double)(packed - start) / TIMED_CALLS;
        walked[round] = (double)(seen - packed) / TIMED_CALLS;
        looked_up[round] = (double)(found - seen) / TIMED_CALLS;
        checked[round] = (double)(end - found) / TIMED_CALLS;
    }
    EXPECT(sum != 0);
    print_median("unpack and pack", both);
    print_median("open a view and walk it", walked);
    print_median("has_identifier (third of 3)", looked_up);
    print_median("validate", checked);
    buffer_deinit(&out);
    buffer_deinit(&blob);
    arena_deinit(&arena);
}

int main(void)
{
    seed = test_seed();
    RUN(sample_has_the_released_bytes);
    RUN(sample_is_read_in_place);
    RUN(origins_are_put_in_order);
    RUN(many_origins);
    RUN(spare_room_is_there);
    RUN(packs_behind_what_is_there);
    RUN(full_buffer_keeps_what_was_there);
    RUN(each_rule_is_checked);
    RUN(every_damaged_byte);
    RUN(memory_runs_out);
    RUN(random_profiles_come_back);
    if (test_times_wanted()) {
        RUN(times);
    }
    return test_summary();
}
