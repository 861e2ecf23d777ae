/* Two letters of a country, then a number as typed. What comes out is E.164 and stays so, whichever
 * way it was read. */
#include "ingest_checks.h"

#include "phone.h"
#include "text.h"

/* A blank in front changes nothing, but keeps digits from being read at once. */
static void check_with_blank(struct slice typed, const char *country, const char *once,
                             size_t length)
{
    char other[PHONE_TEXT_MAX];
    char *blank = malloc(typed.length + 1);
    CHECK(blank != NULL);
    blank[0] = ' ';
    memcpy(blank + 1, typed.data, typed.length);
    CHECK(phone_normalise(slice_of(blank, typed.length + 1), country, other) == length);
    CHECK(length == 0 || strcmp(once, other) == 0);
    free(blank);
}

/* What is plain has nothing invisible and is cleaned by trimming. */
static void check_plain(struct slice typed)
{
    for (size_t i = 0; text_is_plain(typed) && i < typed.length; i++) {
        CHECK(typed.data[i] >= ' ' && typed.data[i] < 0x7F);
        CHECK(typed.data[i] != ' ' || i + 1 == typed.length || typed.data[i + 1] != ' ');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 2) {
        return 0;
    }
    char country[3] = {(char)data[0], (char)data[1], '\0'};
    char once[PHONE_TEXT_MAX];
    char twice[PHONE_TEXT_MAX];
    struct slice typed = slice_of(data + 2, size_bytes - 2);
    size_t length = phone_normalise(typed, country, once);
    check_with_blank(typed, country, once, length);
    check_plain(typed);
    if (length == 0) {
        return 0;
    }
    CHECK(length <= 16 && length == strlen(once) && once[0] == '+' && once[1] != '0');
    CHECK(strspn(once + 1, "0123456789") == length - 1);
    CHECK(phone_normalise(slice_of(once, length), "", twice) == length && strcmp(once, twice) == 0);
    return 0;
}
