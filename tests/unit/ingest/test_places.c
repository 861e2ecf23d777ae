/* Tries the names of all countries as they are kept: a record remembers the row of a country
 * instead of looking its name up again, which is only right when each name leads back to its
 * row. */
#include "places.h"
#include "support.h"
#include "tables/country_table.h"

static void test_names_lead_back(void)
{
    for (size_t i = 0; i < country_count; i++) {
        EXPECT(country_find(slice_from_cstr(countries[i].name)) == &countries[i], "for %s",
               countries[i].name);
        EXPECT(country_find(slice_from_cstr(countries[i].alpha2)) == &countries[i], "for %s",
               countries[i].alpha2);
        EXPECT(country_find(slice_from_cstr(countries[i].alpha3)) == &countries[i], "for %s",
               countries[i].alpha3);
    }
    for (size_t i = 0; i < country_key_count; i++) {
        EXPECT(country_find(slice_from_cstr(country_keys[i].folded)) ==
                   &countries[country_keys[i].country],
               "for %s", country_keys[i].folded);
    }
}

/* Beside each name: one character more, one less. */
static void test_neighbours_are_strangers(void)
{
    EXPECT(country_find(SLICE_LITERAL("usab")) == NULL &&
           country_find(SLICE_LITERAL("german")) == NULL);
    EXPECT(country_find(SLICE_LITERAL("")) == NULL && country_find(SLICE_LITERAL("!")) == NULL);
    EXPECT(country_find(SLICE_LITERAL("\xFF")) == NULL &&
           country_find(SLICE_LITERAL("zzzz")) == NULL);
}

int main(void)
{
    RUN(test_names_lead_back);
    RUN(test_neighbours_are_strangers);
    return test_summary();
}
