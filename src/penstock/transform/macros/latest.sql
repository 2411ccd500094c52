{#
    The rows of today, to be read from, of a dataset whose silver keeps every version (delivery `upsert` or `snapshot`):
    of each key the newest version. `key` lists the columns of the key, `version` is the column of the version.

    With `snapshots`, the table `silver.<dataset>_snapshots`, a key that the last whole snapshot misses is gone. A key is
    there as long as it was seen in that snapshot or later, in a row that was refused too.

        select * from {{ penstock_latest(source('silver', 'cards'), key=['member_id'], version='listed_on',
            snapshots=source('silver', 'cards_snapshots')) }}
#}
{% macro penstock_latest(rows, key, version, snapshots=none) -%}
(
    select newest.*
    from (
        select * from {{ rows }}
        qualify row_number() over (partition by {{ key | join(', ') }} order by {{ version }} desc) = 1
    ) as newest
    {%- if snapshots is not none %}
    join (
        select {{ key | join(', ') }}, max({{ version }}) as seen
        from {{ snapshots }}
        group by {{ key | join(', ') }}
    ) as sighted
        on {% for name in key %}newest.{{ name }} = sighted.{{ name }}{% if not loop.last %} and {% endif %}{% endfor %}
    where sighted.seen >= coalesce((select max({{ version }}) from {{ snapshots }} where is_whole), sighted.seen)
    {%- endif %}
)
{%- endmacro %}
