/* known.c: see known.h. */
#include "known.h"

#include <math.h>

/* As in train/features.py. */
enum { PART_WORDS_MAX = 5, LONE_LETTERS_MIN = 3, WORDS_MAX = 128 + 1 };

/* ---- opening ---- */

static err open_nearest(struct known *known, const struct model_file *file, struct error *error)
{
    struct tensor text = {0};
    struct tensor end = {0};
    struct tensor code = {0};
    struct tensor book = {0};
    err e = model_file_tensor(file, "known.text", TENSOR_U8, 1, (uint32_t[]){0}, &text, error);
    if (e == ERR_OK) {
        e = model_file_tensor(file, "known.text.end", TENSOR_U32, 1, (uint32_t[]){0}, &end, error);
    }
    if (e == ERR_OK) {
        e = model_file_tensor(file, "known.code", TENSOR_U8, 2,
                              (uint32_t[]){(uint32_t)end.count, 0}, &code, error);
    }
    if (e == ERR_OK) {
        e = model_file_tensor(file, "known.book", TENSOR_F32, 3,
                              (uint32_t[]){code.shape[1], 256, 0}, &book, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (!model_file_ascending(end.data, end.count, (uint32_t)text.count)) {
        return model_file_error(error, "known.text.end", "does not ascend to the end of the text");
    }
    if (text.count >= (1 << 27) || end.count >= (1 << 26)) {
        return model_file_error(error, "known.text",
                                "is larger than this version of Kindred reads");
    }
    if ((size_t)book.shape[0] * book.shape[2] != EMBEDDING_SIZE) {
        return model_file_error(error, "known.book", "is for another size of embedding");
    }
    known->text = text.data;
    known->text_end = end.data;
    known->text_count = (uint32_t)end.count;
    known->code = code.data;
    known->book = book.data;
    known->parts = code.shape[1];
    return ERR_OK;
}

err known_open(struct known *known, const struct model_file *file, size_t topic_count,
               struct error *error)
{
    struct tensor topics = {0};
    struct tensor row = {0};
    err e = hash_table_open(&known->table, file, "known", error);
    const uint32_t rows = e == ERR_OK ? known->table.rows : 0;
    if (e == ERR_OK) {
        e = model_file_tensor(file, "known.topics", TENSOR_U32, 1, (uint32_t[]){rows}, &topics,
                              error);
    }
    if (e == ERR_OK) {
        e = model_file_tensor(file, "known.row", TENSOR_U32, 1, (uint32_t[]){rows}, &row, error);
    }
    if (e == ERR_OK) {
        e = open_nearest(known, file, error);
    }
    if (e != ERR_OK) {
        return e;
    }
    known->topics = topics.data;
    known->row = row.data;
    for (uint32_t i = 0; i < rows; i++) {
        if ((uint64_t)known->topics[i] >> topic_count != 0) {
            return model_file_error(error, "known.topics", "names topics that are not there");
        }
        if (known->row[i] != TABLE_NONE && known->row[i] >= known->text_count) {
            return model_file_error(error, "known.row", "names phrases that are not there");
        }
    }
    return ERR_OK;
}

/* ---- votes ---- */

static bool fewer_letters_than(struct slice text, size_t count)
{
    for (size_t i = 0; i < text.length; i++) {
        count -= ((uint8_t)text.data[i] & 0xC0) != 0x80;
        if (count == 0) {
            return false;
        }
    }
    return true;
}

static void vote(float *votes, uint32_t mask, float share)
{
    for (size_t topic = 0; mask != 0; topic++, mask >>= 1) {
        if ((mask & 1) != 0 && share > votes[topic]) {
            votes[topic] = share;
        }
    }
}

void known_votes(const struct known *known, struct slice folded, size_t topic_count, float *votes)
{
    size_t begin[WORDS_MAX];
    size_t end[WORDS_MAX];
    size_t words = 0;
    memset(votes, 0, 2 * topic_count * sizeof *votes);
    for (size_t i = 0, from = 0; i <= folded.length; i++) {
        if (i == folded.length || folded.data[i] == ' ') {
            CHECK(words < WORDS_MAX);
            begin[words] = from;
            end[words++] = i;
            from = i + 1;
        }
    }
    for (size_t length = 1; length < words && length <= PART_WORDS_MAX; length++) {
        for (size_t start = 0; start + length <= words; start++) {
            const struct slice part =
                slice_of(folded.data + begin[start], end[start + length - 1] - begin[start]);
            const uint32_t mask = known_topics(known, part);
            if (mask == 0 || (length == 1 && fewer_letters_than(part, LONE_LETTERS_MIN))) {
                continue;
            }
            const double share = (double)length / (double)words / (double)__builtin_popcount(mask);
            vote(length > 1 ? votes : votes + topic_count, mask, (float)share);
        }
    }
}

/* ---- embedding ---- */

bool known_embedding(const struct known *known, struct slice folded,
                     float embedding[EMBEDDING_SIZE])
{
    const uint32_t entry = hash_table_find(&known->table, folded);
    if (entry == TABLE_NONE || known->row[entry] == TABLE_NONE) {
        return false;
    }
    const size_t part = EMBEDDING_SIZE / known->parts;
    const uint8_t *code = known->code + (size_t)known->row[entry] * known->parts;
    float decoded[EMBEDDING_SIZE];
    float square = 0;
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        decoded[i] = known->book[((i / part) * 256 + code[i / part]) * part + i % part];
        square += decoded[i] * decoded[i];
    }
    if (!(square > 0)) {
        return false;
    }
    const float scale = sqrtf((float)EMBEDDING_SIZE / square);
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        embedding[i] = decoded[i] * scale;
    }
    return true;
}

/* ---- nearest ---- */

static void keep(struct known_near *out, size_t *count, size_t max, struct known_near candidate)
{
    size_t at = *count;
    while (at > 0 && out[at - 1].similarity < candidate.similarity) {
        at--;
    }
    if (at == max) {
        return;
    }
    *count += *count < max;
    memmove(out + at + 1, out + at, (*count - at - 1) * sizeof *out);
    out[at] = candidate;
}

size_t known_nearest(const struct known *known, const float embedding[EMBEDDING_SIZE],
                     struct slice except, struct known_near *out, size_t max)
{
    /* What each byte of a code adds to the product with the embedding and to the squared length. */
    float products[EMBEDDING_SIZE][256];
    float squares[EMBEDDING_SIZE][256];
    const size_t part = EMBEDDING_SIZE / known->parts;
    float own = 0;
    for (size_t i = 0; i < EMBEDDING_SIZE; i++) {
        own += embedding[i] * embedding[i];
    }
    for (size_t p = 0; p < known->parts; p++) {
        for (size_t code = 0; code < 256; code++) {
            const float *centre = known->book + (p * 256 + code) * part;
            products[p][code] = squares[p][code] = 0;
            for (size_t i = 0; i < part; i++) {
                products[p][code] += centre[i] * embedding[p * part + i];
                squares[p][code] += centre[i] * centre[i];
            }
        }
    }
    size_t count = 0;
    for (uint32_t row = 0; row < known->text_count; row++) {
        const uint8_t *code = known->code + (size_t)row * known->parts;
        float product = 0;
        float square = 0;
        for (size_t p = 0; p < known->parts; p++) {
            product += products[p][code[p]];
            square += squares[p][code[p]];
        }
        const float both = sqrtf(own * square);
        const float similarity = both > 0 ? product / both : 0;
        if ((count < max || similarity > out[count - 1].similarity) &&
            !slice_equal(known_text(known, row), except)) {
            keep(out, &count, max, (struct known_near){row, similarity});
        }
    }
    return count;
}
