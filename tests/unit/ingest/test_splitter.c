/* Tries to make the splitter depend on how the stream was cut into pieces, to lose or double a
 * record, to let one bad record take others with it, and to make it hold more than it may.
 *
 * Every input goes in whole, then cut in two at every byte, then byte by byte; each time exactly
 * the same must come out: kinds, bytes, numbers, lines, offsets, codes. */
#include "support.h"

#include "base/clock.h"

struct sample {
    const char *name;
    const char *input;
    const char *wanted; /* a line per split: kind, number, line, bytes or code */
    enum content_hint hint;
    size_t record_max; /* 0: 1 MiB */
};

static void describe(struct buffer *to, const struct split *split)
{
    switch (split->kind) {
    case SPLIT_HEADER: buffer_append_format(to, "H%c", split->bytes.data[0]); break;
    case SPLIT_RECORD:
        buffer_append_format(to, "%c", split->format == FORMAT_CSV ? 'C' : 'J');
        break;
    case SPLIT_BAD: buffer_append_format(to, "!%s ", split->error.code); break;
    }
    buffer_append_format(to, "%llu/%llu/%llu[", (unsigned long long)split->record_number,
                         (unsigned long long)split->line, (unsigned long long)split->offset);
    struct slice bytes = split->bytes;
    if (split->kind == SPLIT_HEADER) {
        bytes = slice_of(bytes.data + 1, bytes.length - 1);
    }
    buffer_append_slice(to, bytes);
    buffer_append_cstr(to, "]\n");
}

/* Feeds a copy of exactly the piece's size, gone when nothing more comes of it: what is borrowed
 * too long is seen. */
static bool feed(struct splitter *s, struct slice piece, bool last, struct buffer *to)
{
    struct error error;
    char *copy = malloc(piece.length + 1);
    if (piece.length > 0) {
        memcpy(copy, piece.data, piece.length);
    }
    err e = splitter_feed(s, slice_of(copy, piece.length), last, &error);
    if (e != ERR_OK) {
        buffer_append_format(to, "refused %s\n", error.code);
        free(copy);
        return false;
    }
    struct split split;
    while ((e = splitter_next(s, &split)) == ERR_OK) {
        describe(to, &split);
    }
    EXPECT(e == ERR_END);
    free(copy);
    return true;
}

static void split_in_pieces(const struct sample *sample, size_t first, size_t then,
                            struct buffer *to)
{
    struct slice input = slice_from_cstr(sample->input);
    struct splitter *s =
        splitter_create(sample->hint, sample->record_max > 0 ? sample->record_max : 1u << 20);
    buffer_clear(to);
    size_t at = 0;
    bool going = true;
    for (size_t size = first; going; size = then) {
        size = size < input.length - at ? size : input.length - at;
        bool last = at + size == input.length;
        going = feed(s, slice_of(input.data + at, size), last, to) && !last;
        at += size;
    }
    buffer_append_cstr(to, splitter_was_single(s) ? "single" : "many");
    buffer_append_char(to, '\0');
    splitter_destroy(s);
}

static const struct sample samples[] = {
    {"nothing", "", "many", HINT_NONE, 0},
    {"white space", " \n\t\r\n", "many", HINT_NONE, 0},
    {"one object", "{\"a\":1}", "J1/1/0[{\"a\":1}]\nsingle", HINT_NONE, 0},
    {"one object, lines around", "\n\n {\"a\":{\"b\":[1,\"}\"]}} \n",
     "J1/3/3[{\"a\":{\"b\":[1,\"}\"]}}]\nsingle", HINT_NONE, 0},
    {"byte order mark", "\xEF\xBB\xBF{\"a\":1}", "J1/1/3[{\"a\":1}]\nsingle", HINT_NONE, 0},
    {"pretty object", "{\n  \"a\": {\n  }\n}\n", "J1/1/0[{\n  \"a\": {\n  }\n}]\nsingle", HINT_NONE,
     0},
    {"two pretty objects", "{\n\"a\":1\n}\n{\n\"a\":2\n}\n",
     "J1/1/0[{\n\"a\":1\n}]\nJ2/4/10[{\n\"a\":2\n}]\nmany", HINT_NONE, 0},
    {"envelope of one", "{\"data\": {\"a\":\"}\\\"\"}}", "J1/1/9[{\"a\":\"}\\\"\"}]\nsingle",
     HINT_NONE, 0},
    {"envelope of two", "{\"data\":[{\"a\":1}, {\"a\":2}]}",
     "J1/1/9[{\"a\":1}]\nJ2/1/18[{\"a\":2}]\nmany", HINT_NONE, 0},
    {"members around data",
     "{\"v\":{\"data\":[9]},\"s\":\"data\",\"data\":[{\"a\":1}],\"n\":[1,{}]}",
     "J1/1/37[{\"a\":1}]\nmany", HINT_NONE, 0},
    {"members around data object", "{\"s\":\"x\\\\\", \"data\" : {\"a\":1} ,\"n\":\"}\"}\n",
     "J1/1/21[{\"a\":1}]\nsingle", HINT_NONE, 0},
    {"data that is none", "{\"data\":3,\"a\":1}", "J1/1/0[{\"data\":3,\"a\":1}]\nsingle", HINT_NONE,
     0},
    {"key that only looks like data", "{\"xdata\":{},\"data2\":[],\"da\\u0074a\":{}}",
     "J1/1/0[{\"xdata\":{},\"data2\":[],\"da\\u0074a\":{}}]\nsingle", HINT_NONE, 0},
    {"value data", "{\"a\":\"data\",\"b\":{}}", "J1/1/0[{\"a\":\"data\",\"b\":{}}]\nsingle",
     HINT_NONE, 0},
    {"data twice", "{\"data\":{\"a\":1},\"data\":{\"a\":2}}",
     "J1/1/8[{\"a\":1}]\n!duplicate_key 1/1/24[]\nsingle", HINT_NONE, 0},
    {"empty envelope", "{\"data\":[]}", "many", HINT_NONE, 0},
    {"list", "[{\"a\":1},{\"a\":2}]", "J1/1/1[{\"a\":1}]\nJ2/1/9[{\"a\":2}]\nmany", HINT_NONE, 0},
    {"list over lines", "[\n{\"a\":1},\n\n{\"a\":\n2}\n]\n",
     "J1/2/2[{\"a\":1}]\nJ2/4/12[{\"a\":\n2}]\nmany", HINT_NONE, 0},
    {"list of others", "[1,\"x,]\",null,[2,[3]]]",
     "J1/1/1[1]\nJ2/1/3[\"x,]\"]\nJ3/1/9[null]\nJ4/1/14[[2,[3]]]\nmany", HINT_NONE, 0},
    {"bad element does not stop the list", "[{\"a\":1},{\"a\" 2},{\"a\":[}]},{\"a\":3}]",
     "J1/1/1[{\"a\":1}]\nJ2/1/9[{\"a\" 2}]\nJ3/1/17[{\"a\":[}]]\n!json_stray 3/1/25[}]\nJ4/1/27[{\"a\":3}]\nmany",
     HINT_NONE, 0},
    {"comma missing", "[{\"a\":1} {\"a\":2}]",
     "J1/1/1[{\"a\":1}]\n!json_comma 1/1/9[]\nJ2/1/9[{\"a\":2}]\nmany", HINT_NONE, 0},
    {"commas too many", "[,{\"a\":1},,{\"a\":2},]",
     "!json_comma 0/1/1[,]\nJ1/1/2[{\"a\":1}]\n!json_comma 1/1/10[,]\nJ2/1/11[{\"a\":2}]\n!json_comma 2/1/19[]\nmany",
     HINT_NONE, 0},
    {"list not closed",
     "[{\"a\":1},{\"a\":", "J1/1/1[{\"a\":1}]\n!json_unclosed 2/1/9[{\"a\":]\nmany", HINT_NONE, 0},
    {"list closed after comma missing", "[{\"a\":1}",
     "J1/1/1[{\"a\":1}]\n!json_unclosed 1/1/8[]\nmany", HINT_NONE, 0},
    {"list and more", "[{\"a\":1}] x", "J1/1/1[{\"a\":1}]\n!json_trailing 1/1/10[x]\nmany",
     HINT_NONE, 0},
    {"envelope not closed", "{\"data\":[{\"a\":1}]",
     "J1/1/9[{\"a\":1}]\n!json_unclosed 1/1/17[]\nmany", HINT_NONE, 0},
    {"object not closed", "{\"a\":{\"b\":1}", "!json_unclosed 1/1/0[{\"a\":{\"b\":1}]\nsingle",
     HINT_NONE, 0},
    {"lines", "{\"a\":1}\n{\"a\":2}\n", "J1/1/0[{\"a\":1}]\nJ2/2/8[{\"a\":2}]\nmany", HINT_NONE, 0},
    {"lines, none at the end", "{\"a\":1}\n{\"a\":2}", "J1/1/0[{\"a\":1}]\nJ2/2/8[{\"a\":2}]\nmany",
     HINT_NONE, 0},
    {"lines, CRLF and blank ones", "{\"a\":1}\r\n\r\n  \n{\"a\":2}\r\n",
     "J1/1/0[{\"a\":1}]\nJ2/4/14[{\"a\":2}]\nmany", HINT_NONE, 0},
    {"bad line in the middle", "{\"a\":1}\n{\"a\":\"x}\nnonsense\n{\"a\":2}\n",
     "J1/1/0[{\"a\":1}]\nJ2/2/8[{\"a\":\"x}]\nJ3/3/17[nonsense]\nJ4/4/26[{\"a\":2}]\nmany",
     HINT_NONE, 0},
    {"first line bad: string open", "{\"a\":\"x}\n{\"a\":2}\n",
     "J1/1/0[{\"a\":\"x}]\nJ2/2/9[{\"a\":2}]\nmany", HINT_NONE, 0},
    {"first line bad: brace open", "{\"a\":{\"b\":1}\n{\"a\":2}\n{\"a\":3}\n",
     "J1/1/0[{\"a\":{\"b\":1}]\nJ2/2/13[{\"a\":2}]\nJ3/3/21[{\"a\":3}]\nmany", HINT_NONE, 0},
    {"first line bad: CRLF", "{\"a\":\"x}\r\n{\"a\":2}\r\n",
     "J1/1/0[{\"a\":\"x}]\nJ2/2/10[{\"a\":2}]\nmany", HINT_NONE, 0},
    {"list of objects over lines is no bad line", "{\"a\":[{\"x\":1},\n{\"x\":2}],\"b\":\n{}}",
     "J1/1/0[{\"a\":[{\"x\":1},\n{\"x\":2}],\"b\":\n{}}]\nsingle", HINT_NONE, 0},
    {"envelopes on lines", "{\"data\":{\"a\":1}}\n{\"data\":[{\"a\":2}]}\n{\"a\":3}\n",
     "J1/1/8[{\"a\":1}]\nJ2/2/26[{\"a\":2}]\nJ3/3/36[{\"a\":3}]\nmany", HINT_NONE, 0},
    {"between objects", "{\"a\":1} x y\n{\"a\":2}",
     "J1/1/0[{\"a\":1}]\n!json_stray 1/1/8[x]\nJ2/2/12[{\"a\":2}]\nmany", HINT_NONE, 0},
    {"NDJSON said, first line bad", "{\"a\":[{\n{\"a\":2}\n",
     "J1/1/0[{\"a\":[{]\nJ2/2/8[{\"a\":2}]\nmany", HINT_NDJSON, 0},
    {"too large line", "{\"a\":1}\n{\"a\":\"123456789\"}\n{\"a\":2}\n",
     "J1/1/0[{\"a\":1}]\n!record_too_large 2/2/8[{\"a\":\"1234]\nJ3/3/26[{\"a\":2}]\nmany",
     HINT_NONE, 10},
    {"too large element", "[{\"a\":1},{\"a\":\"123456789\"},{\"a\":2}]",
     "J1/1/1[{\"a\":1}]\n!record_too_large 2/1/9[{\"a\":\"1234]\nJ3/1/27[{\"a\":2}]\nmany",
     HINT_NONE, 10},
    {"element of just the limit", "[{\"a\":1234}]", "J1/1/1[{\"a\":1234}]\nmany", HINT_NONE, 10},
    {"line of just the limit", "{\"a\":1234}\n{\"a\":5678}",
     "J1/1/0[{\"a\":1234}]\nJ2/2/11[{\"a\":5678}]\nmany", HINT_NONE, 10},
    {"too large object", "{\"a\":\"123456789\"}\n{\"a\":2}\n",
     "!record_too_large 1/1/0[{\"a\":\"1234]\nJ2/2/18[{\"a\":2}]\nmany", HINT_NONE, 10},
    {"too large data", "{\"data\":{\"a\":\"123456789\"},\"b\":1}",
     "!record_too_large 1/1/8[{\"a\":\"1234]\nsingle", HINT_NONE, 10},
    {"too large and not closed", "[{\"a\":\"123456789",
     "!record_too_large 1/1/1[{\"a\":\"1234]\n!json_unclosed 1/1/16[]\nmany", HINT_NONE, 10},
    {"too large number", "[12345678901,2]", "!record_too_large 1/1/1[1234567890]\nJ2/1/13[2]\nmany",
     HINT_NONE, 10},
    {"table", "a,b\n1,2\n3,4\n", "H,0/1/0[a,b]\nC1/2/4[1,2]\nC2/3/8[3,4]\nmany", HINT_NONE, 0},
    {"table, CRLF, blank lines, no end", "\r\na,b\r\n1,2\r\n\r\n  \r\n3,4",
     "H,0/2/2[a,b]\nC1/3/7[1,2]\nC2/6/18[3,4]\nmany", HINT_NONE, 0},
    {"table with a mark",
     "\xEF\xBB\xBF"
     "a;b\n1;2,5\n",
     "H;0/1/3[a;b]\nC1/2/7[1;2,5]\nmany", HINT_NONE, 0},
    {"tabs", "a\tb\n\t2\n", "H\t0/1/0[a\tb]\nC1/2/4[\t2]\nmany", HINT_NONE, 0},
    {"bars", "a|b|c,d\n1|2|3\n", "H|0/1/0[a|b|c,d]\nC1/2/8[1|2|3]\nmany", HINT_NONE, 0},
    {"delimiters in quotes do not count", "\"a;b;c\",d\n1,2\n",
     "H,0/1/0[\"a;b;c\",d]\nC1/2/10[1,2]\nmany", HINT_NONE, 0},
    {"quotes", "a,b\n\"1\n,\"\"x\", \"2\"\n3,4\n",
     "H,0/1/0[a,b]\nC1/2/4[\"1\n,\"\"x\", \"2\"]\nC2/4/18[3,4]\nmany", HINT_NONE, 0},
    {"quote inside a cell is a character", "a,b\n5\" pipe,2\n3,4\n",
     "H,0/1/0[a,b]\nC1/2/4[5\" pipe,2]\nC2/3/14[3,4]\nmany", HINT_NONE, 0},
    {"quote never closed", "a,b\n\"1,2\n3,4\n5,6\n",
     "H,0/1/0[a,b]\n!csv_quote 1/2/4[\"1,2]\nC2/3/9[3,4]\nC3/4/13[5,6]\nmany", HINT_NONE, 0},
    {"quote never closed on the last line", "a,b\n3,4\n\"1,2",
     "H,0/1/0[a,b]\nC1/2/4[3,4]\nC2/3/8[\"1,2]\nmany", HINT_NONE, 0},
    {"quote swallows up to the limit", "a,b\n\"1,2\r\n3,4\n5,6\n7,8\n9,9\n",
     "H,0/1/0[a,b]\n!csv_quote 1/2/4[\"1,2]\nC2/3/10[3,4]\nC3/4/14[5,6]\nC4/5/18[7,8]\nC5/6/22[9,9]\nmany",
     HINT_NONE, 10},
    {"too large row", "a,b\n1,2\n1234567890,2\n3,4\n",
     "H,0/1/0[a,b]\nC1/2/4[1,2]\n!record_too_large 2/3/8[1234567890]\nC3/4/21[3,4]\nmany",
     HINT_NONE, 10},
    {"row of just the limit", "a,b\n12345678,2\r\n123456789,2\n",
     "H,0/1/0[a,b]\n!record_too_large 1/2/4[12345678,2]\n!record_too_large 2/3/16[123456789,]\nmany",
     HINT_NONE, 10},
    {"header with line break", "\"a\nx\",b\n1,2\n", "H,0/1/0[\"a\nx\",b]\nC1/3/8[1,2]\nmany",
     HINT_NONE, 0},
    {"header quote never closed", "\"a,b\n1,2\n", "refused format_unknown\nmany", HINT_NONE, 0},
    {"one column, known", "Email\nx@y.zz\n", "H,0/1/0[Email]\nC1/2/6[x@y.zz]\nmany", HINT_NONE, 0},
    {"one column, said", "id\n7\n", "H,0/1/0[id]\nC1/2/3[7]\nmany", HINT_CSV, 0},
    {"one column, unknown", "hello\nworld\n", "refused format_unknown\nmany", HINT_NONE, 0},
    {"gzip", "\x1F\x8B\x08\x01xx\n", "refused format_unknown\nmany", HINT_NONE, 0},
    {"header only", "a,b", "H,0/1/0[a,b]\nmany", HINT_NONE, 0},
};

static void test_every_cut_gives_the_same(void)
{
    struct buffer whole;
    struct buffer pieces;
    buffer_init(&whole, 1u << 20);
    buffer_init(&pieces, 1u << 20);
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        const struct sample *sample = &samples[i];
        size_t length = strlen(sample->input);
        split_in_pieces(sample, length, 1, &whole);
        EXPECT(strcmp(whole.data, sample->wanted) == 0, ": %s\n got:\n%s\n wanted:\n%s",
               sample->name, whole.data, sample->wanted);
        for (size_t cut = 0; cut < length; cut++) {
            split_in_pieces(sample, cut, length, &pieces);
            EXPECT(strcmp(whole.data, pieces.data) == 0, ": %s cut at %zu\n got:\n%s\n wanted:\n%s",
                   sample->name, cut, pieces.data, whole.data);
        }
        for (size_t size = 1; size <= 3; size++) {
            split_in_pieces(sample, size, size, &pieces);
            EXPECT(strcmp(whole.data, pieces.data) == 0,
                   ": %s in pieces of %zu\n got:\n%s\n wanted:\n%s", sample->name, size,
                   pieces.data, whole.data);
        }
    }
    buffer_deinit(&whole);
    buffer_deinit(&pieces);
}

/* Random soups of the bytes that matter, cut at random. */
static void test_random_soup(void)
{
    static const char alphabet[] = "{}[]\",:\\\n\r; \tdata1x";
    struct prng prng;
    prng_seed(&prng, 20240501);
    struct buffer whole;
    struct buffer pieces;
    buffer_init(&whole, 1u << 20);
    buffer_init(&pieces, 1u << 20);
    for (size_t round = 0; round < 20000; round++) {
        char input[64];
        size_t length = 1 + prng_below(&prng, sizeof input - 2);
        for (size_t i = 0; i < length; i++) {
            input[i] = alphabet[prng_below(&prng, sizeof alphabet - 1)];
        }
        input[length] = '\0';
        static const char *const starts[] = {"{\"data\":[", "[{", "{\"a\"", "a,b\n\""};
        size_t start = prng_below(&prng, 8);
        if (start < 4 && strlen(starts[start]) <= length) {
            memcpy(input, starts[start], strlen(starts[start]));
        }
        struct sample sample = {"soup", input, "", (enum content_hint)prng_below(&prng, 5),
                                prng_below(&prng, 2) ? 8 : 0};
        split_in_pieces(&sample, length, 1, &whole);
        split_in_pieces(&sample, prng_below(&prng, length + 1), 1 + prng_below(&prng, 9), &pieces);
        EXPECT(strcmp(whole.data, pieces.data) == 0,
               ": round %zu, input <%s>, hint %d, limit %zu\n got:\n%s\n wanted:\n%s", round, input,
               (int)sample.hint, sample.record_max, pieces.data, whole.data);
    }
    buffer_deinit(&whole);
    buffer_deinit(&pieces);
}

static void test_content_types(void)
{
    EXPECT(content_hint_of(SLICE_LITERAL("text/csv; charset=utf-8")) == HINT_CSV);
    EXPECT(content_hint_of(SLICE_LITERAL("Application/JSON")) == HINT_JSON);
    EXPECT(content_hint_of(SLICE_LITERAL("application/x-ndjson")) == HINT_NDJSON);
    EXPECT(content_hint_of(SLICE_LITERAL("text/tab-separated-values")) == HINT_TSV);
    EXPECT(content_hint_of(SLICE_LITERAL("text/plain")) == HINT_NONE);
    EXPECT(content_hint_of(SLICE_NONE) == HINT_NONE);
}

static void test_header_rules(void)
{
    static const struct {
        const char *bytes;
        const char *code; /* NULL: fine */
    } cases[] = {
        {",a,b", NULL},
        {";a;\"b;c\"", NULL},
        {",a,,b", "csv_header_name"},
        {",a,b,a", "csv_header_duplicate"},
        {",a, a ", "csv_header_duplicate"},
        {",a,A", NULL},
        {",", "csv_header_missing"},
        {"xa,b", "csv_header_missing"},
        {",\"a", "csv_quote"},
        {",a\xFF,b", "csv_encoding"},
        {",a\x01,b", "csv_header_name"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct csv_header *header;
        struct error error = {0};
        err e = csv_header_parse(slice_from_cstr(cases[i].bytes), &header, &error);
        EXPECT((e == ERR_OK) == (cases[i].code == NULL), ": %s", cases[i].bytes);
        EXPECT(e == ERR_OK || strcmp(error.code, cases[i].code) == 0, ": %s gave %s",
               cases[i].bytes, error.code);
        csv_header_destroy(header);
    }
}

int main(void)
{
    RUN(test_every_cut_gives_the_same);
    RUN(test_random_soup);
    RUN(test_content_types);
    RUN(test_header_rules);
    return test_summary();
}
